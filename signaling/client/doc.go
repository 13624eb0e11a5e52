// Package client is the Go library for native clients of Mini LiveChat: bots, bridges,
// recorders, load generators and tests. It speaks the protocol of PROTOCOL.md over one
// WebSocket and carries voice over one WebRTC connection.
//
//	guest, err := client.Guest(ctx, "http://127.0.0.1:8080", "Ada")
//	c, err := client.Dial(ctx, "http://127.0.0.1:8080", client.Options{Token: guest.Token})
//	defer c.Close()
//	call, err := c.Join(ctx, "lobby", client.JoinOptions{})
//	err = call.WriteOpus(frame, 20*time.Millisecond)
//	n, info, err := call.Slots()[0].ReadOpus(ctx, buf)
//
// # Coming back
//
// A client whose connection breaks comes back by itself, when the server has asked for or at random moments ever further apart,
// until Close or until the server says that there is no coming back. It resumes its session: events
// that were missed come in order, requests are answered once, and the call goes on, which nobody
// notices. A session that is lost is begun anew: voice state and subscriptions are told again, presences are watched again, the call
// is joined again with the same Slots, and an event with a Reidentified says that things may have happened in between. Disconnected
// and Resumed tell of what nobody notices otherwise, Rejoined of the call.
// Requests made meanwhile wait. Where the server is several nodes, a client whose node is gone, or has shown no sign of life for two
// seconds, begins its new session at another one. Media moves to another path when nothing comes any more, when the server says that
// nothing comes there, and when the machine's addresses change. Options.NoReconnect is without all of this.
//
// # Listening in
//
// Call.Listen has a call hear other channels too, as a scanner does: the first with traffic, or the one with priority.
//
//	_, err := call.Listen(ctx, protocol.Listen{Channels: []string{"ops", "yard"}, Priority: "ops"})
//
// # The floor
//
// In a channel of protocol.ModePTT one talks at a time. Call.Floor asks for it and tells who has it:
//
//	grant, err := call.Floor().Acquire(ctx, client.FloorRequest{})
//	err = call.WriteOpus(frame, 20*time.Millisecond) // until grant.Done is closed
//	err = grant.Release(ctx)
//
// A Grant outlives a connection as the session does, and ends with the membership.
//
// # Goroutines
//
// All exported methods may be called from any goroutine, except where one says
// otherwise. A Client runs one goroutine of its own, which reads the WebSocket; a Call adds one
// that looks after its media, one that writes RTCP, and those of its PeerConnection; a Grant one that tells the server that it is wanted. Close and
// Leave return after all of theirs have ended.
//
// There is no writing goroutine: a request is written by whoever makes it.
//
// # Media
//
// A packet is handled on the goroutine that decrypts it. It is parsed there, attributed
// to a talker and either put into its slot's bounded queue, for ReadOpus and ReadRTP, or
// handed to JoinOptions.OnPacket. Neither way allocates per packet. While a
// call hears somebody it reports to the server by RTCP, and asks for lost packets again;
// otherwise ICE consent checks tell the server that it lives.
package client
