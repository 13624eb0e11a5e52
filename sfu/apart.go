package sfu

import "sync"

// apart are the other nodes, by name, of whose voice nothing comes here. The zero value is none.
type apart struct {
	mu    sync.Mutex // guards nodes; may be taken while a Channel's is held
	nodes map[string]struct{}
}

// set says whether a node is one of them, and reports whether that is news.
func (a *apart) set(node string, is bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, was := a.nodes[node]; was == is {
		return false
	}
	if a.nodes == nil {
		a.nodes = make(map[string]struct{})
	}
	if a.nodes[node] = struct{}{}; !is {
		delete(a.nodes, node)
	}
	return true
}

func (h *ChannelHub) isApart(node string) bool {
	h.apart.mu.Lock()
	defer h.apart.mu.Unlock()
	_, is := h.apart.nodes[node]
	return is
}

// SetApart says that of the voice of a node's members nothing comes here, or that it does again. This node's members are told.
func (h *ChannelHub) SetApart(node string, is bool) {
	if !h.apart.set(node, is) {
		return
	}
	h.mu.RLock()
	channels := make([]*Channel, 0, len(h.channels)) // one that is added from here on asks by itself
	for _, c := range h.channels {
		channels = append(channels, c)
	}
	h.mu.RUnlock()
	for _, c := range channels {
		c.mu.Lock()
		if told := c.roster.setApart(node, h.isApart(node)); told != nil {
			c.notifier.tell(told)
			c.rouse() // who is not heard is not shown to speak either
		}
		c.mu.Unlock()
	}
}

// setApart says whether something is heard of a node's members.
func (r *roster) setApart(node string, is bool) (told []news) {
	for _, p := range r.order {
		if p.node == node && p.apart != is {
			p.apart = is
			told = append(told, r.tell("", MediaStateChanged{ChannelID: r.channel.ID, Member: p.info()})...)
		}
	}
	for _, hidden := range r.hidden {
		for _, p := range hidden {
			if p.node == node {
				p.apart = is
			}
		}
	}
	return told
}
