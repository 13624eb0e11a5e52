package protocol

import "time"

// The bodies of /api/admin about a server that runs. Times are RFC 3339 in UTC, durations in milliseconds, fractions 0 to 1.
type (
	// AdminStatus is how the server is.
	AdminStatus struct {
		Server    string    `json:"server"`
		URL       string    `json:"url"`
		StartedAt time.Time `json:"started_at"`
		// Node is which of several nodes this is; empty: it is alone. What is counted below is of this one, but for SessionsElsewhere.
		Node              string `json:"node,omitempty"`
		SessionsElsewhere int    `json:"sessions_elsewhere,omitempty"`
		// Draining: nobody is let in. Trouble is what does not work, in words.
		Draining bool     `json:"draining"`
		Trouble  []string `json:"trouble"`
		// Metrics is where Prometheus finds the figures, from the server's machine; empty: nowhere.
		Metrics string `json:"metrics,omitempty"`
		// Sessions are the people who are here, Connected those of them who have a connection now, Members those in channels, and
		// Speaking those who speak now.
		Sessions  int `json:"sessions"`
		Connected int `json:"connected"`
		Channels  int `json:"channels"`
		Members   int `json:"members"`
		Speaking  int `json:"speaking"`
		// LogLevel is empty where it cannot be changed.
		LogLevel    string `json:"log_level,omitempty"`
		Goroutines  int    `json:"goroutines"`
		MemoryBytes uint64 `json:"memory_bytes"`
	}
	// AdminChannels are all channels, by position, then the oldest first.
	AdminChannels struct {
		Channels []AdminChannel `json:"channels"`
	}
	// AdminChannel is a channel.
	AdminChannel struct {
		ChannelID   string    `json:"channel_id"`
		ChannelName string    `json:"channel_name"`
		Mode        Mode      `json:"mode"`
		Access      Access    `json:"access"`
		Speaking    Speaking  `json:"speaking"`
		Topic       string    `json:"topic,omitempty"`
		OwnerID     string    `json:"owner_id,omitempty"`
		CreatedAt   time.Time `json:"created_at"`
		Capacity    int       `json:"capacity"`
		MemberCount int       `json:"member_count"`
		// Members, Listeners and who has the floor are only there where one channel is asked for.
		Members   []AdminMember `json:"members,omitempty"`
		Listeners []Listener    `json:"listeners,omitempty"`
		FloorID   string        `json:"floor_user_id,omitempty"`
		FloorName string        `json:"floor_name,omitempty"`
	}
	// AdminMember is a member of a channel, and how its media is doing.
	AdminMember struct {
		Member

		SpeaksNow bool      `json:"speaks_now"`
		Peer      AdminPeer `json:"peer"`
	}
	// AdminSessions are the people who are here, in the order of their names, on all nodes but those in Missing, which did not answer.
	AdminSessions struct {
		Sessions []AdminSession `json:"sessions"`
		Missing  []string       `json:"missing,omitempty"`
	}
	// AdminSession is somebody who is here.
	AdminSession struct {
		SessionID string `json:"session_id"`
		Node      string `json:"node,omitempty"`
		UserID    string `json:"user_id"`
		Name      string `json:"name"`
		Role      string `json:"role"`
		ChannelID string `json:"channel_id,omitempty"`
		// Network is what the client is counted by: its address, of IPv6 the first 64 bits; empty for who comes by an address of ours.
		Network   string    `json:"network,omitempty"`
		Client    string    `json:"client,omitempty"`
		Since     time.Time `json:"since"`
		Connected bool      `json:"connected"`
		// Waiting is how many frames the client has not read.
		Waiting int  `json:"waiting"`
		Muted   bool `json:"muted"`
		// Peer is only there where one is asked for who is in a channel.
		Peer *AdminPeer `json:"peer,omitempty"`
	}
	// AdminNodes are the nodes that are one server, this one first. Quorum is whether most of them are there, TimeKnown whether most of them have said the
	// same time.
	AdminNodes struct {
		Quorum    bool        `json:"quorum"`
		TimeKnown bool        `json:"time_known"`
		Nodes     []AdminNode `json:"nodes"`
	}
	// AdminNode is a node as the one that was asked knows it, with what it says of its links. State is here, awaited (it should be there and is not) or refused, for which Why has the
	// reason. Load is of its cores, 0 to 1; Position is how far it has applied what all remember, and
	// Behind how far that is behind; Since is when this node first saw it, or last refused it;
	// ClockMS is how far its clock is ahead of that time, or, while none is known, of the clock of the node that was asked.
	AdminNode struct {
		Name     string     `json:"name"`
		Boot     string     `json:"boot,omitempty"`
		Self     bool       `json:"self,omitempty"`
		State    string     `json:"state"`
		Why      string     `json:"why,omitempty"`
		URL      string     `json:"url,omitempty"`
		Media    []string   `json:"media,omitempty"`
		People   int        `json:"people"`
		Load     float64    `json:"load"`
		Position uint64     `json:"position"`
		Behind   uint64     `json:"behind,omitempty"`
		Draining bool       `json:"draining,omitempty"`
		Since    *time.Time `json:"since,omitempty"`
		RTTMS    float64    `json:"rtt_ms,omitempty"`
		ClockMS  int64      `json:"clock_ms,omitempty"`
		// Links are those by which voice goes to and from the others. Silent: it did not say.
		Links  []AdminLink `json:"links,omitempty"`
		Silent bool        `json:"silent,omitempty"`
	}
	// AdminLink is a node's link to another one, named by Node. Up: each end hears the other; Since is since when that, or the contrary, is so. In is
	// from the other node, Out to it; TalkersIn and TalkersOut are those for whom there is a stream.
	AdminLink struct {
		Node        string    `json:"node"`
		Up          bool      `json:"up"`
		Since       time.Time `json:"since"`
		RTTMS       float64   `json:"rtt_ms"`
		LossIn      float64   `json:"loss_in"`
		LossOut     float64   `json:"loss_out"`
		JitterInMS  float64   `json:"jitter_in_ms"`
		JitterOutMS float64   `json:"jitter_out_ms"`
		TalkersIn   int       `json:"talkers_in"`
		TalkersOut  int       `json:"talkers_out"`
		PacketsIn   int64     `json:"packets_in"`
		PacketsOut  int64     `json:"packets_out"`
		Resent      int64     `json:"resent"`
		Refused     int64     `json:"refused"`
	}
	// AdminPeers are all media connections of members, on all nodes but those in Missing, which did not answer.
	AdminPeers struct {
		Peers   []AdminPeer `json:"peers"`
		Missing []string    `json:"missing,omitempty"`
	}
	// AdminPeer is a media connection, and what the reports of both sides say of its network.
	AdminPeer struct {
		UserID    string `json:"user_id"`
		Name      string `json:"name"`
		ChannelID string `json:"channel_id"`
		Node      string `json:"node,omitempty"`
		// Address is that of the ICE-selected pair; empty before there is one.
		Address string `json:"address,omitempty"`
		// Connected: DTLS is done. QuietMS is for how long nothing came.
		Connected bool  `json:"connected"`
		QuietMS   int64 `json:"quiet_ms"`
		// In is from the client, Out to it.
		RTTMS       float64 `json:"rtt_ms"`
		LossIn      float64 `json:"loss_in"`
		LossOut     float64 `json:"loss_out"`
		JitterInMS  float64 `json:"jitter_in_ms"`
		JitterOutMS float64 `json:"jitter_out_ms"`
		PacketsIn   int64   `json:"packets_in"`
		PacketsOut  int64   `json:"packets_out"`
		BytesIn     int64   `json:"bytes_in"`
		BytesOut    int64   `json:"bytes_out"`
		// Recovered packets came out of redundancy, Restored ones because they were asked for again.
		Recovered uint64 `json:"recovered"`
		Restored  uint64 `json:"restored"`
		// Dropped are packets of the client that were of no use.
		Dropped uint64 `json:"dropped"`
	}
	// AdminWhy is why somebody does not hear somebody: the way of the voice up to the first broken link, which is the last step.
	AdminWhy struct {
		Listener Listener       `json:"listener"`
		Talker   Listener       `json:"talker"`
		Found    WhyFound       `json:"found"`
		Steps    []AdminWhyStep `json:"steps"`
		// Asked: the listener's client was asked how it plays the talker. Playback is what it said; absent, when it did not in time.
		Asked    bool      `json:"asked"`
		Playback *Playback `json:"playback,omitempty"`
	}
	// AdminWhyStep is a link of the way: what is wrong with it, "ok" for nothing, and what was looked at.
	AdminWhyStep struct {
		Link  string `json:"link"`
		Cause string `json:"cause"`
		Saw   string `json:"saw"`
	}
	// AdminKick is why somebody is put out.
	AdminKick struct {
		Reason string `json:"reason,omitempty"`
	}
	// AdminMute says whether somebody is heard.
	AdminMute struct {
		Mute *bool `json:"mute"`
	}
	// AdminMove says where somebody is to be.
	AdminMove struct {
		ChannelID string `json:"channel_id"`
	}
	// AdminDone names whom something was done to.
	AdminDone struct {
		UserID    string `json:"user_id,omitempty"`
		Name      string `json:"name,omitempty"`
		ChannelID string `json:"channel_id,omitempty"`
	}
	// AdminDrain says whether the server lets nobody in. Told is how many were told to come back, of whom Unread have not read it yet.
	AdminDrain struct {
		Draining *bool `json:"draining"`
		Told     int   `json:"told,omitempty"`
		Unread   int   `json:"unread,omitempty"`
	}
	// AdminLogLevel is debug, info, warn or error.
	AdminLogLevel struct {
		Level string `json:"level"`
	}
	// AdminTraceLine is one frame, as an event of /api/admin/trace. Secrets, what SDP has of them, and the text of messages are left out.
	AdminTraceLine struct {
		At time.Time `json:"at"`
		// Lost is how many lines before this one were left out, because they were read too slowly; then the rest may be absent.
		Lost uint64 `json:"lost,omitempty"`
		// Missing are the nodes that do not answer, when those are others than before; the rest is absent then.
		Missing []string `json:"missing,omitempty"`
		// Node is where it was said, where there are several.
		Node      string `json:"node,omitempty"`
		UserID    string `json:"user_id,omitempty"`
		Name      string `json:"name,omitempty"`
		ChannelID string `json:"channel_id,omitempty"`
		// In: from the client. Op is its name, S the number of an event, ID a request's.
		In bool   `json:"in,omitempty"`
		Op string `json:"op,omitempty"`
		S  uint64 `json:"s,omitempty"`
		ID string `json:"id,omitempty"`
		D  any    `json:"d,omitempty"`
	}
)
