// Services and methods as tables: what the generator emits, what rpc dispatches on, what the outbox stores.
#ifndef CHARLE_CALL_METHOD_H
#define CHARLE_CALL_METHOD_H

#include "base/buf.h"
#include "call/context.h"

enum charle_streaming {
    CHARLE_UNARY = 0,
    CHARLE_SERVER_STREAM = 1,
    CHARLE_CLIENT_STREAM = 2,
    CHARLE_BIDI_STREAM = 3,
};

// What a generated method does; NONE for hand-written ones.
enum charle_crud {
    CHARLE_CRUD_NONE,
    CHARLE_CRUD_CREATE,
    CHARLE_CRUD_GET,
    CHARLE_CRUD_LIST,
    CHARLE_CRUD_UPDATE,
    CHARLE_CRUD_DELETE
};

// The body of a unary method: reads *request, fills *reply (zeroed, method->reply->size bytes), with memory from
// context->arena. A failure rolls the transaction back. err is never NULL.
typedef enum charle_err (*charle_unary_handler)(struct charle_context *context, const void *request, void *reply,
                                                struct charle_error *err);

// The body of a server-streaming method: calls `send` for every message; send blocks while the peer is slow and fails
// when the call is over (cancelled, disconnected, late).
struct charle_stream;
struct charle_method;
typedef enum charle_err (*charle_stream_handler)(struct charle_context *context, const void *request,
                                                 struct charle_stream *stream, struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err charle_stream_send(struct charle_stream *stream, const void *message,
                                                     struct charle_error *err);

// The sending end, filled in by whoever runs the method. `send` takes the bytes of one message, which are valid until
// it returns.
struct charle_stream {
    const struct charle_method *method;
    enum charle_err (*send)(void *ctx, struct charle_bytes message, struct charle_error *err);
    void *ctx;
    struct charle_buf buf; // zeroed at first; charle_stream_deinit frees it
};
void charle_stream_deinit(struct charle_stream *stream); // NULL is fine

struct charle_method {
    struct charle_str name; // "charleos.TaskService/Update"
    const struct charle_message *request;
    const struct charle_message *reply;
    uint8_t streaming; // enum charle_streaming
    uint8_t crud;      // enum charle_crud
    bool is_read_only;
    bool is_idempotent;
    bool is_offline;          // may run on a replica and be replayed
    uint32_t deadline_ms;     // when the caller gives none; 0: the server's default
    const char *const *allow; // scopes of which the caller must hold one, NULL-terminated; NULL: checked by the method;
                              // empty list: nobody. "anyone" needs no session, "signed_in" any session. Templates such
                              // as "user:{user_id}" are about the row: here they only ask for a session.
    const struct charle_table *table; // of a generated method
    // Of an offline method written by hand: the tables it reads, and those it writes; NULL-terminated. NULL: none.
    const struct charle_table *const *reads, *const *writes;
    charle_unary_handler unary;
    charle_stream_handler stream;
};

struct charle_service {
    struct charle_str name; // "charleos.TaskService"
    const struct charle_method *methods;
    size_t method_count;
};

// NULL when there is none. O(log n) after the table was sorted by charle_method_table_init.
struct charle_method_table {
    const struct charle_method **methods; // sorted by name
    size_t count;
};
CHARLE_MUST_CHECK enum charle_err charle_method_table_init(struct charle_method_table *table,
                                                           const struct charle_service *const *services, size_t count,
                                                           struct charle_error *err);
void charle_method_table_deinit(struct charle_method_table *table);
const struct charle_method *charle_method_find(const struct charle_method_table *table, struct charle_str name);

// May this identity call this method at all? PERMISSION_DENIED or UNAUTHENTICATED with a sentence.
CHARLE_MUST_CHECK enum charle_err charle_method_check_caller(const struct charle_method *method,
                                                             const struct charle_identity *identity,
                                                             struct charle_error *err);

// Runs a unary method: checks the caller, decodes, calls the handler (or the generated-service engine), encodes the
// reply. Transactions are the caller's business. The reply's bytes are appended to `reply`.
CHARLE_MUST_CHECK enum charle_err charle_method_run(const struct charle_method *method, struct charle_context *context,
                                                    struct charle_bytes request, struct charle_buf *reply,
                                                    struct charle_error *err);

// Calls of one generated method that may run together, in one statement instead of one each.
struct charle_call_set {
    const struct charle_method *method;
    size_t count;
    struct charle_context *contexts; // one a call; all with the same handle and arena
    const struct charle_bytes *requests;
    bool without_replies; // nobody wants them: those of the calls that ran are empty
    // Filled in by the engine: how many calls from the front it looked at, and of those the replies (in the arena) of
    // the ones it ran. ptr NULL: nothing was done about this one.
    size_t taken;
    struct charle_bytes *replies;
};

// Runs what can run together of a set (ch_crud_run_set of services/crud.h): calls of one caller, or of callers who may do and
// see the same. The calls that were looked at touch
// different rows, so that those left over may run after the others. A failure says that the statement failed and what
// it did must be rolled back; which call was to blame is found by running them one by one.
typedef enum charle_err (*charle_set_engine)(struct charle_call_set *set, struct charle_error *err);

// As charle_method_run for a server-streaming method; returns when the stream has ended.
CHARLE_MUST_CHECK enum charle_err charle_method_run_stream(const struct charle_method *method,
                                                           struct charle_context *context, struct charle_bytes request,
                                                           struct charle_stream *stream, struct charle_error *err);

#endif
