// Package doctor finds out from a client's place whether voice works with a server, and
// says in words what is wrong and which setting or firewall rule mends it.
//
// [Run] looks at the server as a browser would come to it: its address, its certificate,
// the page, the WebSocket, then media over UDP and through TURN, all at once. It needs
// only the URL. Media is tried by MEDIA_PROBE, which nobody else on the server notices.
//
// What is found is a [Report], which [Report.WriteSummary] and [WriteCheck] put into
// words for a person; nothing of it depends on how it was found.
package doctor
