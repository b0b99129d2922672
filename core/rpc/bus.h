// A bus between servers: small messages to everybody who is connected, without answers and without a promise of arrival.
//
// It is for hints: what is lost is made up for by looking oneself. Nothing here says who a peer is; the owner of the bus
// judges each message (on_message), and a connection that brings one it does not want is closed. A connection on which
// no message was wanted for CH_BUS_SILENT_MS is closed as well, so strangers cannot hold places, and one that a
// partition has cut is dialed anew soon instead of when TCP gives up: whoever uses the bus speaks more often than that.
#ifndef CHARLE_RPC_BUS_H
#define CHARLE_RPC_BUS_H

#include "rpc/stream.h"

struct ch_bus;

struct ch_bus_options {
    const char *listen; // tcp://, tls+tcp:// or ipc://; NULL: only dials
    const char *const *peers;
    size_t peer_count; // at most CH_BUS_PEERS_MAX
    struct ch_transport_options tls;
    // On a thread of the transport, one at a time; must not block. False: this is no peer of ours.
    bool (*on_message)(void *ctx, struct charle_bytes message);
    void *ctx;
};

// The texts must outlive the bus. out_address (CH_ADDRESS_SIZE bytes) takes the real address when it listens. Peers that
// cannot be reached now are dialed again for as long as the bus is open.
CHARLE_MUST_CHECK enum charle_err ch_bus_open(const struct ch_bus_options *options, struct ch_bus **out,
                                              char *out_address, struct charle_error *err);
// Never waits: a peer whose queue is full does not get it. Any thread.
void ch_bus_send(struct ch_bus *bus, struct charle_bytes message);
// To be called about once a second, by one thread: closes what is silent, dials and listens anew.
void ch_bus_tick(struct ch_bus *bus);
size_t ch_bus_connections(struct ch_bus *bus);
void ch_bus_close(struct ch_bus *bus); // no callback runs afterwards; NULL is fine

#endif
