package httpapi

import (
	"net/http"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Doors are the ways in: the answer to GET /api/config.
type Doors struct {
	// Guests may come in by name alone.
	Guests bool `json:"guests"`
	// SignIn is the provider with which people may sign in. Nil: there is none.
	SignIn *SignIn `json:"signin,omitempty"`
	// Channel is the one that was asked for. Nil: there is none of which anybody may know who comes in.
	Channel *Linked `json:"channel,omitempty"`
}

// Linked is the channel that a link leads to.
type Linked struct {
	ChannelID   string `json:"channel_id"`
	ChannelName string `json:"channel_name"`
}

// SignIn is a provider with which people may sign in.
type SignIn struct {
	// Name is what people call it.
	Name string `json:"name"`
}

// Config answers GET /api/config: what a page needs to know before it knows who is there. With ?channel= it is called what openName
// says, "" being nothing, where guests may come: they would be told it anyway.
func Config(doors Doors, openName func(channelID string) string, log *zap.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" {
			w.Header().Set("Access-Control-Allow-Origin", origin)
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			refuse(w, log, http.StatusMethodNotAllowed, protocol.CodeInvalidPayload, "use GET")
			return
		}
		answer := doors
		if id := r.URL.Query().Get("channel"); doors.Guests && id != "" {
			if name := openName(id); name != "" {
				answer.Channel = &Linked{ChannelID: id, ChannelName: name}
			}
		}
		writeJSON(w, log, http.StatusOK, answer)
	})
}
