// What the files of this folder share. They are the only ones that name nng.
#ifndef CHARLE_RPC_NNG_PARTS_H
#define CHARLE_RPC_NNG_PARTS_H

#include "rpc/stream.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

// Fills *err with "what address: why" and returns our code for nng's.
enum charle_err ch_nng_fail(struct charle_error *err, int rv, const char *what, const char *address);

// A configuration for one dialer or listener; the caller gives it back with nng_tls_config_free. INVALID_ARGUMENT with
// a sentence for files that are not usable.
CHARLE_MUST_CHECK enum charle_err ch_nng_tls_config(nng_tls_mode mode, const struct ch_transport_options *options,
                                                    nng_tls_config **out, struct charle_error *err);

// The same for dialing `address`, whose host the server's certificate must name unless the options name another.
CHARLE_MUST_CHECK enum charle_err ch_nng_tls_dial_config(const char *address, const struct ch_transport_options *options,
                                                         nng_tls_config **out, struct charle_error *err);

// The timers of rpc/stream.h.
CHARLE_MUST_CHECK enum charle_err ch_nng_timer_open(void (*fn)(void *ctx), void *ctx, void **out);
void ch_nng_timer_set(void *object, int64_t at_us);
void ch_nng_timer_close(void *object);

#endif
