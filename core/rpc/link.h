// A connection at work: ch_conn on a byte stream, with the lock, the two write buffers and the one read and one write
// in flight. Channel and server are both built on it.
//
// Writing. Frames are appended to the connection's `out`. Whoever appended calls ch_link_flush: when no write is in
// flight it swaps `out` with `sending` and starts one; otherwise the frames leave with the next one, which starts when
// the present one ends. So under load many frames share one system call and one wake-up. While the reading thread works
// through a batch it holds its own frames back until the batch's end.
//
// Reading. One read is always in flight, except on a server whose peer leaves more than CH_RPC_WRITE_HIGH unread: it
// reads on when that has fallen below CH_RPC_WRITE_LOW.
//
// Life. `ops` counts what may still call back: the open stream and each operation in flight. The stream's end is always
// seen by a read that fails; ch_link_shut begins one when none is in flight. Then `over` has been called, once. When
// the last operation has returned, the stream is freed and `closed` is called. `refs` counts who may still look at the
// memory: all operations together, and each call. With the last, `freed` is called. Functions here need a reference of
// their caller's.
//
// Lock order: an owner's lock before a link's. Callbacks of users run under neither.
#ifndef CHARLE_RPC_LINK_H
#define CHARLE_RPC_LINK_H

#include "rpc/conn.h"
#include "rpc/stream.h"

#include <pthread.h>
#include <stdatomic.h>

struct ch_link;

struct ch_link_owner {
    // An event of the connection other than FAILED. The lock is held; may be released and taken again meanwhile.
    void (*event)(struct ch_link *link, const struct ch_conn_event *event);
    // Once: the connection carries nothing any more, link->conn.error says why. No lock is held. End the calls that are
    // left (ch_conn_take_any). The link lives until the stream is closed too.
    void (*over)(struct ch_link *link);
    // What waited for room in the write buffer may go on. The lock is held; may be released and taken again meanwhile.
    void (*drained)(struct ch_link *link);
    // ch_link_tick is wanted at this time, earlier than was said before. The lock is not held.
    void (*due)(struct ch_link *link, int64_t at_us);
    // No callback runs or will run any more. The memory may stay for calls that users still hold.
    void (*closed)(struct ch_link *link);
    // The last reference is gone: take it off the list, call ch_link_deinit, free it.
    void (*freed)(struct ch_link *link);
};

struct ch_link {
    pthread_mutex_t lock;
    const struct ch_link_owner *owner;
    const struct ch_transport *transport;
    void *stream;
    atomic_int ops, refs;
    _Atomic int64_t due_us;
    struct ch_link *next, *prev; // the owner's list, under the owner's lock
    // under the lock:
    struct ch_conn conn;
    struct charle_buf sending;
    size_t sent;
    bool is_reading, is_sending;
    bool is_corked; // the reading thread is in a batch
    pthread_t corker;
    bool is_strained; // more was unsent than CH_RPC_WRITE_HIGH since `drained` was last called
    bool is_over;     // `over` has been or is being called
    bool is_shut;     // the stream has been told to close
    bool is_shut_when_sent;
};

CHARLE_MUST_CHECK enum charle_err ch_link_init(struct ch_link *link, const struct ch_link_owner *owner,
                                               const struct ch_transport *transport, void *stream,
                                               const struct ch_conn_options *options);
void ch_link_start(struct ch_link *link); // begins to read, and sends what is queued
void ch_link_deinit(struct ch_link *link);

static inline void ch_link_hold(struct ch_link *link)
{
    atomic_fetch_add_explicit(&link->refs, 1, memory_order_relaxed);
}
bool ch_link_try_hold(struct ch_link *link); // false when it is being freed; for links found on a list
void ch_link_release(struct ch_link *link);

static inline void ch_link_lock(struct ch_link *link)
{
    pthread_mutex_lock(&link->lock);
}
static inline void ch_link_unlock(struct ch_link *link)
{
    pthread_mutex_unlock(&link->lock);
}
// Sends what was appended, unless it will go with a write in flight or a batch's end. The lock is held and is released.
void ch_link_flush(struct ch_link *link);

// Closes the stream: at once, or when all that is queued has been sent. The lock is held and is released.
void ch_link_shut(struct ch_link *link);
void ch_link_shut_when_sent(struct ch_link *link);

void ch_link_tick(struct ch_link *link, int64_t now_us); // on a transport's thread

// An owner's links. `lock` is the owner's. A link stays on the list until its memory goes, so a walk that holds the
// link it is at can go on from there: first, then next until NULL; each is held, and next releases the one before.
struct ch_link_list {
    struct ch_link *first;
    size_t count; // on the list
    size_t open;  // of these, not `closed` yet
};
void ch_link_list_add(struct ch_link_list *list, struct ch_link *link);    // lock held
void ch_link_list_remove(struct ch_link_list *list, struct ch_link *link); // lock held
struct ch_link *ch_link_list_first(struct ch_link_list *list, pthread_mutex_t *lock);
struct ch_link *ch_link_list_next(struct ch_link *link, pthread_mutex_t *lock);
// Ticks those that are due and returns when the next one will be; INT64_MAX: never.
int64_t ch_link_list_tick(struct ch_link_list *list, pthread_mutex_t *lock, int64_t now_us);

#endif
