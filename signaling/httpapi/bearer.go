package httpapi

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Bearer lets those through who show an admin's token (RFC 6750, section 2.1), as whom the handler behind it then acts.
type Bearer struct {
	Authority *auth.Authority
	People    *people.People
	Door      *Door
	Log       *zap.Logger
	Next      http.Handler
}

// ServeHTTP implements http.Handler.
func (b *Bearer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if wait := b.Door.Book.FailedWait(time.Now(), b.Door.network(r)); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		refuse(w, b.Log, http.StatusTooManyRequests, protocol.CodeRateLimited, "too many tokens from your address that were none")
		return
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		b.unauthorized(w, protocol.CodeNotAuthenticated, "show an admin's token: Authorization: Bearer …; \"livechat token --user=you --admin\" prints one")
		return
	}
	id, refusal := b.admits(r.Context(), strings.TrimSpace(token))
	switch {
	case refusal.Code == protocol.CodeInvalidToken:
		b.Door.failed(r)
		b.unauthorized(w, refusal.Code, refusal.Reason)
		return
	case refusal.Code != 0:
		writeJSON(w, b.Log, http.StatusForbidden, refusal)
		return
	}
	ctx := context.WithValue(r.Context(), byKey{}, id)
	// What takes long asks again.
	ctx = context.WithValue(ctx, stillKey{}, func() Problem { //nolint:contextcheck // it is the request's
		_, refusal := b.admits(r.Context(), strings.TrimSpace(token))
		return refusal
	})
	b.Next.ServeHTTP(w, r.WithContext(ctx))
}

// admits returns whose a token is, or why it does not let its bearer administer; then the code is not 0.
func (b *Bearer) admits(ctx context.Context, token string) (auth.Identity, Problem) {
	now := b.People.Now()
	id, err := b.Authority.Verify(token, now)
	if err == nil {
		id, _, err = b.People.Enter(ctx, id, now)
	}
	if err != nil {
		return id, Problem{Code: protocol.CodeInvalidToken, Reason: err.Error()}
	}
	if err = b.People.Admit(ctx, id, people.Origin{}, now); err != nil {
		return id, Problem{Code: protocol.CodeBanned, Reason: err.Error()}
	}
	if id.Role < auth.RoleAdmin || id.UserID == "" {
		return id, Problem{Code: protocol.CodeAccessDenied, Reason: fmt.Sprintf("%s is %s, and this is for admins", id.UserID, id.Role.Noun())}
	}
	return id, Problem{}
}

func (b *Bearer) unauthorized(w http.ResponseWriter, code protocol.ErrorCode, reason string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="livechat"`)
	refuse(w, b.Log, http.StatusUnauthorized, code, reason)
}
