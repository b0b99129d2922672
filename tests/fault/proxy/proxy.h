// A network that does harm: a relay between programs that speak docs/wire.md, over TCP or unix sockets.
//
//   client ──up──► [ lane: frames → faults → delay, throttle, stall → cut ] ──► server
//          ◄─down─ [ lane ]                                                 ◄──
//
// Each direction of a connection is a lane. A lane takes the bytes apart into frames (the magic, then headers of twelve bytes and their
// payloads; what does not begin with the magic passes as it comes), gives each piece a time, and lets the pieces go when they are due. Faults
// that are about frames (drop, duplicate, reorder, lose) act where pieces are made; those about bytes (cut, stall, throttle) where they leave,
// so that a cut after N bytes delivers exactly N.
//
// One thread works for all connections of a proxy. It is told what to do by commands, one a line; a script, the control socket of the program
// fault_proxy and tests use the same ones. DIR is up, down or both:
//
//   cut DIR N [next|now]          close the connection after N more bytes of that direction: of the next one, or of those that are there
//   frame DIR TYPE N FAULT        hurt the N-th frame (from 1) of a type of the next connection; FAULT: drop, duplicate, reorder, lose
//   chance DIR FAULT PER_MILLE    hurt frames at random
//   only TYPE[,TYPE…] | only any  which frames `chance` is about
//   delay DIR MS [JITTER_MS]      later, in order
//   throttle DIR BYTES_PER_S      0: as fast as it goes
//   stall DIR MS                  nothing passes for so long; 0: goes on, -1: until told
//   half-close DIR                the receiver of that direction sees the end of the stream, the other direction lives
//   close | reset                 every connection ends, politely or with RST
//   blackhole on|off              nothing passes and nobody is told; new connections are taken and never answered
//   refuse on|off                 new connections are closed at once
//   heal                          all of the above is over; pieces that wait go on
//   seed N                        of the dice for chance and jitter
//
// drop: the frame does not arrive, and TCP would not go on after that, so the connection ends. duplicate: it arrives twice. reorder: it
// arrives after the next one (or 20 ms later). lose: it is missing, and what follows arrives. The last three do not happen on TCP; they
// stand for broken middle boxes, and a client must not believe a stream with a hole.
//
// Threads: every function may be called from any thread.
#ifndef CHARLE_TESTS_FAULT_PROXY_H
#define CHARLE_TESTS_FAULT_PROXY_H

#include "base/err.h"

#include <stdint.h>

struct proxy;

struct proxy_options {
    const char *listen; // "tcp://127.0.0.1:0" (any free port) or "ipc:///path"
    const char *target; // the server's address
    uint64_t seed;
};

enum proxy_direction { PROXY_UP, PROXY_DOWN, PROXY_DIRECTIONS };

struct proxy_counts {
    uint64_t connections;               // taken so far
    uint64_t open;                      // now
    uint64_t bytes[PROXY_DIRECTIONS];   // passed on, all connections
    uint64_t last[PROXY_DIRECTIONS];    // passed on by the newest connection
    uint64_t frames[PROXY_DIRECTIONS];
    uint64_t cuts, drops, duplicates, reorders, losses;
};

CHARLE_MUST_CHECK enum charle_err proxy_open(const struct proxy_options *options, struct proxy **out, struct charle_error *err);
void proxy_close(struct proxy *proxy); // ends every connection; NULL is fine

const char *proxy_address(const struct proxy *proxy); // where clients go, with the port that was found; valid as long as the proxy
void proxy_counts(struct proxy *proxy, struct proxy_counts *out);

// One command, as above. INVALID_ARGUMENT with a sentence.
CHARLE_MUST_CHECK enum charle_err proxy_command(struct proxy *proxy, const char *line, struct charle_error *err);
// The same for tests: formats the command, and ends the program when it is none.
void proxy_do(struct proxy *proxy, const char *format, ...) CHARLE_PRINTF(2, 3);

#endif
