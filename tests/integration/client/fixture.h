// What the tests of libcharle share: a served server with 300 notes, a folder for a replica, and short ways to use a client.
#ifndef CHARLE_TESTS_CLIENT_FIXTURE_H
#define CHARLE_TESTS_CLIENT_FIXTURE_H

#include "served.h"

#include "base/arena.h"
#include "base/err.h"
#include "charle/charle.h"
#include "db/db.h"
#include "notes.charle.h"

extern const struct charle_schema notes_schema;

struct fixture {
    struct served served;
    char folder[100], file[140];
    struct charle_arena arena;
};

// cmocka's setup and teardown of one case.
int fixture_setup(void **state);
int fixture_teardown(void **state);

struct charle_client *open_client(struct fixture *f);
void must_sync(struct charle_client *client);
int64_t number(struct charle_db *db, const char *sql); // the first column of the first row
int64_t server_number(struct fixture *f, const char *sql);
int set_title(struct fixture *f, struct charle_client *client, const char *id, const char *title,
              const struct charle_client_call_options *options, struct charle_error *err);
bool wait_for_state(struct charle_client *client, enum charle_client_state state, int ms);

#endif
