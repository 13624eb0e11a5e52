package signaling

import (
	"sync"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// maxRelayed is how many messages that are not kept are known by their nonces.
const maxRelayed = 4096

// relayed knows the messages that were passed on without being kept, so that none is twice: the latest maxRelayed within
// store.NonceWindow. The zero value is ready. Safe for concurrent use.
type relayed struct {
	mu     sync.Mutex // guards the fields below
	known  map[relayedKey]store.Message
	oldest []relayedKey
}

type relayedKey struct{ channelID, authorID, nonce string }

// first notes a message and reports true, or returns how it was answered the first time. One without a nonce is always the first.
func (r *relayed) first(d protocol.MessageCreate, message store.Message) (protocol.MessageCreated, bool) {
	if d.Nonce == "" {
		return protocol.MessageCreated{}, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.oldest) > 0 && message.At.Sub(r.known[r.oldest[0]].At) >= store.NonceWindow || len(r.oldest) >= maxRelayed {
		delete(r.known, r.oldest[0])
		r.oldest = r.oldest[1:]
	}
	key := relayedKey{message.ChannelID, message.AuthorID, d.Nonce}
	if before, ok := r.known[key]; ok {
		return protocol.MessageCreated{MessageID: before.ID, Timestamp: before.At.UnixMilli(), Nonce: d.Nonce}, false
	}
	if r.known == nil {
		r.known = make(map[relayedKey]store.Message)
	}
	message.Content = "" // it is not kept
	r.known[key] = message
	r.oldest = append(r.oldest, key)
	return protocol.MessageCreated{}, true
}
