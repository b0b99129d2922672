// What the tests of encryption, of bit rot and of failing machines share: a server with thirty notes and one laptop.
#ifndef CHARLE_TESTS_SECRET_H
#define CHARLE_TESTS_SECRET_H

#include "world.h"

struct secret {
    struct fake_server server;
    struct world a;
};

int secret_setup(void **state);
int secret_teardown(void **state);

// A new replica "secret" of this key, in step with the server.
void secret_open_live(struct secret *secret, const struct charle_client_key *key);
enum charle_err secret_set_title(struct world *world, const char *id, const char *title, struct charle_error *err);

#endif
