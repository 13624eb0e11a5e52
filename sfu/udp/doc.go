// Package udp is what Go's net package does not offer of UDP sockets on Linux: system calls that send and receive many
// packets at once, and the local address that a packet came to and leaves from, all without allocating. It keeps no
// state; whoever owns a socket, or the memory that a call works on, keeps calls apart.
package udp
