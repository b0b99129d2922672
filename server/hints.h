// Hints between the servers of one database: "I have just committed something, look now."
//
// A hint is never believed, only followed: all it can do is make the receiver look at the database earlier than its poll
// would (every 5 ms while somebody listens). So hints may be lost, doubled or late. They are made by those who know a
// secret that the servers share; whatever else comes is counted, and its connection closed.
#ifndef CHARLE_SERVER_HINTS_H
#define CHARLE_SERVER_HINTS_H

#include "base/err.h"

#include <stddef.h>

#define CH_HINTS_ID_SIZE 16
#define CH_HINTS_SENDERS_MAX 32

struct ch_hints;

struct ch_hints_options {
    const char *listen; // address; NULL: only dials
    const char *const *peers;
    size_t peer_count;
    const char *secret_file;
    const char *tls_ca_file, *tls_cert_file, *tls_key_file; // of tls+tcp addresses
    uint8_t database[CH_HINTS_ID_SIZE];                     // charle.cluster.server_id: hints of another one are not ours
    void (*look)(void *ctx);                                // on a thread of the bus; must not block
    void *ctx;
};

struct ch_hints_sender { // another server, as it was last heard
    uint8_t id[CH_HINTS_ID_SIZE];
    int64_t heard_us; // monotonic
    uint64_t hints, lost;
    uint64_t counter; // of its last message
};

struct ch_hints_figures {
    uint64_t sent, received, refused;
    size_t connections;
    struct ch_hints_sender senders[CH_HINTS_SENDERS_MAX];
    size_t sender_count;
};

// The texts must outlive it. Logs the address it listens on.
CHARLE_MUST_CHECK enum charle_err ch_hints_start(const struct ch_hints_options *options, struct ch_hints **out,
                                                 struct charle_error *err);
// Something was committed by this server: tell the others, at most once a millisecond. Any thread; NULL is fine.
void ch_hints_say(struct ch_hints *hints);
void ch_hints_figures(struct ch_hints *hints, struct ch_hints_figures *out); // NULL: all zero
void ch_hints_stop(struct ch_hints *hints);                                  // NULL is fine

// --- the message, for tests ------------------------------------------------------------------------------------------

enum { CH_HINT_SIZE = 104, CH_HINT_KEY_SIZE = 32 };
enum ch_hint_kind { CH_HINT_LOOK = 1, CH_HINT_ALIVE = 2 };
struct ch_hint {
    enum ch_hint_kind kind;
    uint8_t sender[CH_HINTS_ID_SIZE], database[CH_HINTS_ID_SIZE];
    uint64_t counter; // of the sender's messages
    uint64_t looks;   // of its hints so far
    int64_t at_us;    // its clock
};
void ch_hint_write(const struct ch_hint *hint, const uint8_t key[CH_HINT_KEY_SIZE], uint8_t out[CH_HINT_SIZE]);
bool ch_hint_read(const uint8_t *from, size_t size, const uint8_t key[CH_HINT_KEY_SIZE], struct ch_hint *out);
// The key of a file of 16 to 4096 bytes that only its owner may read.
CHARLE_MUST_CHECK enum charle_err ch_hint_key_read(const char *path, uint8_t out[CH_HINT_KEY_SIZE],
                                                   struct charle_error *err);

#endif
