// Package floor decides who may talk in a channel where one talks at a time: the floor control server of 3GPP TS 24.380, without its
// transport. It follows the general floor control operation of section 6.3.4 and the operation for each participant of 6.3.5, with
// these differences, all of them meant:
//
//   - What TS 24.380 calls timer T1 (end of RTP media) is a holder's ping: a holder who says nothing is still there, one whose client
//     is gone is not. A client pings every 2 s or so.
//   - T2 (stop talking) and T3 (stop talking grace) are Config.MaxTalk less Config.Warn, and Config.Warn: the holder is told by a Revoked
//     with a grace, talks on, and is cut at the end of it.
//   - After a release the last packets are still on their way. While Config.Tail lasts they pass, and nobody else gets the floor but who
//     pre-empts it. A request without Queue waits until then, since nobody has the floor.
//   - Who is pre-empted is cut at once, as one is without T3, and is not put into the queue: the one of more priority is not to wait.
//   - What is told arrives, and once, so that nothing is said again: there are no T7 (Floor Idle), T8 (Floor Revoke) and T20 (Floor
//     Granted), and no C7, C8 and C20.
//   - The priority of a request is what the caller let it be; what a participant may ask for (section 4.1.1.4) is no business of this
//     package. Priorities go from 0 to 255, and 255 is an emergency.
//   - With audio cut-in (section 6.3.4.4.12 and on) everybody takes the floor from everybody, and nobody waits but in a pause.
//
// A [Floor] is a pure state machine: it has no clock, no lock and no goroutine. Whoever owns it calls Apply with the time and what
// happened, carries out the effects in their order, and calls Apply with a Tick when [Floor.Next] says so. It allocates what it
// returns. Not safe for concurrent use.
package floor
