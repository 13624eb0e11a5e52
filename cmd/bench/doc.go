// Package bench measures what the server costs on the machine it runs on, and puts two
// yardsticks beside it that were measured on the same machine in the same run: the floor,
// which is nothing but the system calls and ciphers that forwarding cannot do without, and
// the reference, a textbook SFU made of pion's standard parts. Absolute figures do not
// travel from one machine to another; the ratios do.
//
// # How it measures
//
// Server, floor and reference each run in a process of their own, started from this same
// executable, and are driven over loopback by the one load generator in this process. A
// participant of the load generator signs in and connects like any native client, with
// package client (or, for the reference, plain pion). Its UDP socket belongs to the load
// generator, however: once DTLS is done RTP does not pass through pion but through one
// sending and one receiving loop, which keep up with far more than the server does. The
// three are loaded in the same way: the same talkers, listeners, sizes and pacing, the
// same cipher (AES-128-GCM), the same sockets on the receiving side.
//
// A talker sends a packet every 20 ms, the talkers being spread evenly over those 20 ms. The
// payload carries the time of sending. Only what arrived, decrypted and authenticated, is
// counted: latency and loss are those of the packets sent between the beginning and the
// end of the measurement; throughput is what arrived between the two, and the CPU time for
// a packet is what the kernel charged to the process meanwhile, divided by it.
//
// Turns is about moments and not about cost, so its people are plain clients, and nothing is put beside it but bars.
//
// # Goroutines
//
// Run is called once at a time. It starts everything, waits for all of it, and leaves
// neither processes nor files behind, also when its context is cancelled.
package bench
