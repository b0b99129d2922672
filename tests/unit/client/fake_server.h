// A server for the client's tests: one process, one SQLite database, the real generated services, and the protocol of sync.proto said the
// plain way. Stamps come from comparing the contents of every scope before and after each transaction, so there is nothing clever in it
// that could be wrong in the same way as the client. The real server is tested elsewhere; this one can be stopped, rewound and lied to.
#ifndef CHARLE_TESTS_FAKE_SERVER_H
#define CHARLE_TESTS_FAKE_SERVER_H

#include "charle/sync.charle.h"
#include "client/apply.h"

struct fake_server {
    const struct charle_schema *schema;
    struct charle_db *db;
    sqlite3 *sql;
    struct charle_method_table methods;
    struct charle_arena arena; // of one request
    int64_t epoch;
    uint64_t lineage;
    size_t page_rows;          // of Copy, and of a pull's page; 0: 100
    int64_t now_us;
    bool parks;                // every pushed call is parked
    bool rejects;              // every pushed call is rejected
    bool names_last_key;       // of a range's last bucket; otherwise it goes to the end, as the server's does
    int64_t calls_run;         // by Push, repeats not counted
    uint32_t push_calls_max;   // said at Open; 0: nothing is said
    size_t batch_max;          // a push with more calls fails, as if the server died on it; 0: none does
    bool takes_none;           // every push fails
    int64_t batches_failed;
    size_t batch_largest;      // the most calls that one push brought, since a test cleared it
    int64_t pulls;
    char saved_file[64];
};

// What a call answers: messages through `message`, then the code.
struct fake_reply {
    void (*message)(void *ctx, struct charle_bytes bytes);
    void *ctx;
    char text[240];
};

void fake_server_open(struct fake_server *server, const struct charle_schema *schema);
void fake_server_close(struct fake_server *server);

void fake_server_grant(struct fake_server *server, const char *scope);
void fake_server_revoke(struct fake_server *server, const char *scope);
// A foreign writer's transaction.
void fake_server_sql(struct fake_server *server, const char *format, ...) __attribute__((format(printf, 2, 3)));
int64_t fake_server_number(struct fake_server *server, const char *format, ...) __attribute__((format(printf, 2, 3)));
int64_t fake_server_last_sequence(struct fake_server *server, const char *device);

// A cold copy of the database, and putting it back: a new epoch begins.
void fake_server_save(struct fake_server *server);
void fake_server_restore(struct fake_server *server);
// Forgets the log: cursors below the heads need repair.
void fake_server_forget_log(struct fake_server *server);

// Unary calls: Open, Hash, Push.
enum charle_err fake_server_call(struct fake_server *server, struct charle_str method, struct charle_bytes request,
                                 struct fake_reply *reply);

// Streams are pumped, one page at a time, so that a test may change rows between two pages.
struct fake_stream {
    bool is_pull;
    bool is_live;
    bool is_first;
    char device[64];
    struct charle_buf request; // as it came
    struct charle_buf cursors; // of a live pull: (scope NUL, stamp) as the stream goes on
    char after[256];           // of a copy: the last key sent
    bool has_after, is_done;
    int64_t last_sequence;
};
void fake_stream_open(struct fake_stream *stream, struct charle_str method, struct charle_bytes request);
void fake_stream_close(struct fake_stream *stream);
// Sends what there is to send: one page of a copy, one moment of a pull. Sets is_done when the stream is over. A live stream with nothing
// new sends nothing.
enum charle_err fake_server_pump(struct fake_server *server, struct fake_stream *stream, struct fake_reply *reply);

// Checks that the replica shows exactly what the granted scopes hold now: every row, every column, nothing else. No call may wait.
void fake_server_check(struct fake_server *server, struct ch_replica *replica);

#endif
