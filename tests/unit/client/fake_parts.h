// What the files of the fake server share: fake_server.c (its database, scopes and past), fake_parts.c, fake_calls.c and fake_streams.c.
#ifndef CHARLE_TESTS_CLIENT_FAKE_PARTS_H
#define CHARLE_TESTS_CLIENT_FAKE_PARTS_H

#include "fake_server.h"
#include "fake_sql.h"

struct fake_head {
    int64_t stamp;
    uint64_t lineage;
};

// A growing array in the server's arena.
struct fake_list {
    void **items;
    size_t count, capacity;
};

void fake_stamp(struct fake_server *server);
void fake_add_range(const struct charle_opt_text *after, const struct charle_opt_text *until, bool is_text, struct charle_buf *sql);
struct charle_array fake_granted_scopes(struct fake_server *server);
void fake_must(struct fake_server *server, int code, const char *sql);
void fake_must_be_ok(enum charle_err rc);
struct fake_head fake_head_of(struct fake_server *server, struct charle_str scope);
bool fake_is_good(struct fake_server *server, const struct charle_cursor *cursor);
bool fake_is_granted(struct fake_server *server, struct charle_str scope);
void fake_send(const struct charle_message *type, const void *message, struct fake_reply *reply);
void *fake_new(struct fake_server *server, size_t size);
struct charle_str fake_keep_str(struct fake_server *server, struct charle_str text);
struct charle_bytes fake_keep_blob(struct fake_server *server, sqlite3_stmt *stmt, int column);
void fake_list_add(struct fake_server *server, struct fake_list *list, void *item);
struct charle_array fake_list_array(const struct fake_list *list);
struct charle_array fake_value_array(struct fake_server *server, const struct fake_list *list);
struct charle_str *fake_boxed(struct fake_server *server, const void *ptr, size_t len);

#endif
