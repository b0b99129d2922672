// One laptop and one server with forty notes in three rooms, three people and some readers, for the tests of the core; and what its user does.
#ifndef CHARLE_TESTS_CLIENT_CORE_SCENE_H
#define CHARLE_TESTS_CLIENT_CORE_SCENE_H

#include "world.h"

struct scene {
    struct fake_server server;
    struct world a;
    struct charle_arena arena;
};

int scene_setup(void **state);
int scene_teardown(void **state);
// A case of its own scene, for the table of cases. The file that uses it includes cmocka.
#define SCENE_CASE(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
void scene_prepare(void); // before the cases run: what the environment asks for, CHARLE_TEST_TRACE and CHARLE_TEST_ONLY

void scene_start(struct scene *f);
enum charle_err scene_set_title(struct scene *f, const char *id, const char *title, int64_t *ticket, struct charle_error *err);
void scene_must_set_title(struct scene *f, const char *id, const char *title);
void scene_must_vote(struct scene *f, const char *id, int32_t from, int32_t to);
enum charle_err scene_vote(struct scene *f, const char *id, struct charle_error *err);
struct charle_str scene_must_create(struct scene *f, const char *room, const char *title);
void scene_must_replace(struct scene *f, const char *from, const char *to);
void scene_expect_title(struct scene *f, const char *id, const char *title);
struct charle_verify_report scene_verify(struct scene *f);

#endif
