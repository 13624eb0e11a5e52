package main

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// The operator's bans hold at once while the server runs, and are there when it runs again.
func TestOperatorBans(t *testing.T) {
	t.Parallel()
	o := &operator{t: t, data: "--data=" + filepath.Join(t.TempDir(), "data")}
	o.start()
	guest, err := client.Guest(t.Context(), o.url, "Ada")
	require.NoError(t, err)
	c, err := client.Dial(t.Context(), o.url, client.Options{Token: guest.Token, NoReconnect: true})
	require.NoError(t, err)
	said, _ := o.does("ban", "add", guest.UserID, "--for=1h", "--reason=loud")
	require.Equal(t, guest.UserID+" is banned for 1h\n", said)
	<-c.Done()
	var closed *client.CloseError
	require.ErrorAs(t, c.Err(), &closed)
	require.Equal(t, protocol.CloseBanned, closed.Code)
	o.stop()

	said, _ = o.does("ban", "list")
	require.Contains(t, said, "loud")
	o.does("ban", "add", "guest-2")
	said, _ = o.does("audit", "--json", "--limit=2")
	var deeds []printedDeed
	require.NoError(t, json.Unmarshal([]byte(said), &deeds))
	require.Equal(t, "guest-2", deeds[0].UserID)
	require.Nil(t, deeds[0].Until)
	require.Equal(t, "loud", deeds[1].Reason)
	require.WithinDuration(t, deeds[1].At.Add(time.Hour), *deeds[1].Until, patience)
	said, _ = o.does("ban", "--json")
	var bans []printedBan
	require.NoError(t, json.Unmarshal([]byte(said), &bans))
	require.Len(t, bans, 2)
	require.Nil(t, bans[0].Until)
	require.Equal(t, deeds[1].Until, bans[1].Until)
	o.start()
	_, err = client.Dial(t.Context(), o.url, client.Options{Token: guest.Token, NoReconnect: true})
	refusal := &protocol.Error{}
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, protocol.CodeBanned, refusal.Code)
	o.does("ban", "lift", guest.UserID)
	c, err = client.Dial(t.Context(), o.url, client.Options{Token: guest.Token, NoReconnect: true})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	o.stop()
}
