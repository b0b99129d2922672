// The power fails at every write of making a replica, of a call, of a page and of what comes with them: afterwards each is there as a
// whole or not at all, nothing that was acknowledged is lost, and the replica goes on. In clear and encrypted; the disk is one in
// memory that loses, tears and reorders what was not synced.
//
// CHARLE_ROUNDS (default 1) repeats everything with other damage.
#include "world.h"

#include "base/alloc.h"
#include "notes.charle.h"
#include "secret.h"
#include "sim/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DISK "power-disk"

enum { WRITES_MAX = 400 };

struct power {
    struct secret s;
    struct sim_disk *disk;
    struct ch_cipher *cipher;
    uint64_t random;
    char last[60];    // the title that was acknowledged last
    int cuts;
};

static uint64_t disk_random(void *ctx)
{
    struct power *p = ctx;
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return p->random;
}

static int64_t disk_wall(void *ctx)
{
    (void)ctx;
    return 1700000000000000;
}

static void begin(struct power *p, bool is_encrypted, uint64_t seed)
{
    struct charle_error err = {0};
    const uint8_t key[CH_CIPHER_KEY_SIZE] = {1, 2, 3, 4};
    p->random = seed * 2654435761u + 1;
    p->disk = sim_disk_new(DISK, disk_random, disk_wall, p);
    assert_int_equal(ch_cipher_open(key, DISK, 8192, &p->cipher, &err), CHARLE_OK);
    p->s.a.vfs = is_encrypted ? ch_cipher_vfs(p->cipher) : DISK;
}

static void end(struct power *p)
{
    world_close(&p->s.a);
    ch_cipher_close(p->cipher);
    sim_disk_free(p->disk);
    p->cipher = NULL;
    p->disk = NULL;
}

static void open_again(struct power *p)
{
    world_open(&p->s.a, &p->s.server, "power", false);
    p->s.a.replica.checkpoint_pages = 8; // checkpoints are part of everything
    ch_client_core_start(p->s.a.core);
}

// After the cut: the file is whole, the replica comes back into step, and shows what was acknowledged.
static void check_after(struct power *p)
{
    char check[100], title[100];
    world_close(&p->s.a);
    sim_disk_revive(p->disk, p->random % 3 != 0); // every third time only the program dies
    open_again(p);
    world_text(&p->s.a, check, sizeof(check), "pragma integrity_check");
    assert_string_equal(check, "ok");
    world_connect(&p->s.a, true);
    world_settle(&p->s.a, 20000);
    fake_server_check(&p->s.server, &p->s.a.replica);
    world_text(&p->s.a, title, sizeof(title), "select title from note where id = 'n0001'");
    if (p->last[0] && strcmp(title, p->last) < 0)
        fail_msg("%s was acknowledged, and the note shows %s", p->last, title);
    p->cuts++;
}

static void call(struct power *p, int n, int write)
{
    struct charle_error err = {0};
    char title[60];
    snprintf(title, sizeof(title), "Written %06d", p->cuts); // grows, and is above the first titles
    world_connect(&p->s.a, n % 2 == 0);
    sim_disk_die_after(p->disk, write);
    if (!secret_set_title(&p->s.a, "n0001", title, &err))
        snprintf(p->last, sizeof(p->last), "%s", title);
}

// A page that changes, adds and removes rows and contains a waiting call, with another call staying on top of it.
static void page(struct power *p, int n, int write)
{
    struct charle_error err = {0};
    char title[60];
    snprintf(title, sizeof(title), "Written %06d", p->cuts);
    if (!secret_set_title(&p->s.a, "n0001", title, &err))
        snprintf(p->last, sizeof(p->last), "%s", title);
    fake_server_sql(&p->s.server, "update note set votes = votes + 1 where id > 'n0010'; "
                                  "insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) "
                                  "values ('x%d', 'r1', 'new', 0, 'open', 1, 1, '[]'); delete from note where id = 'x%d'", p->cuts, p->cuts - 3);
    sim_disk_die_after(p->disk, write);
    for (int i = 0; i < 60 && !sim_disk_is_dead(p->disk); i++)
        world_step(&p->s.a);
    (void)n;
}

static void cut_at_every_write(struct power *p, void (*act)(struct power *p, int n, int write), bool is_encrypted, uint64_t seed)
{
    int misses = 0, before = p->cuts;
    begin(p, is_encrypted, seed);
    open_again(p);
    world_connect(&p->s.a, true);
    world_settle(&p->s.a, 20000);
    p->last[0] = '\0';
    // Three times without a cut: what is done takes fewer writes than that, whatever it has to do besides.
    for (int n = 1; n < WRITES_MAX && misses < 3; n++) {
        act(p, n, n);
        misses = sim_disk_is_dead(p->disk) ? 0 : misses + 1;
        sim_disk_calm(p->disk);
        check_after(p);
    }
    assert_true(misses == 3 && p->cuts > before + 10);
    print_message("%s: %d power cuts\n", is_encrypted ? "encrypted" : "in clear", p->cuts - before);
    end(p);
}

static int rounds(void)
{
    const char *text = getenv("CHARLE_ROUNDS");
    return text ? (int)strtol(text, NULL, 10) : 1;
}

static void each_way(struct power *p, void (*act)(struct power *p, int n, int write))
{
    for (int round = 0; round < rounds(); round++) {
        cut_at_every_write(p, act, false, 10 + (uint64_t)round);
        cut_at_every_write(p, act, true, 1000 + (uint64_t)round);
    }
}

static void calls_survive_a_power_cut_at_every_write(void **state)
{
    each_way(*state, call);
}

static void pages_survive_a_power_cut_at_every_write(void **state)
{
    each_way(*state, page);
}

// Making the file and the first copy.
static void new_replica_survives_a_power_cut_at_every_write(void **state)
{
    struct power *p = *state;
    for (int round = 0; round < 2 * rounds(); round++) {
        bool was_cut = true;
        for (int n = 1; n < WRITES_MAX && was_cut; n++) {
            struct charle_error err = {0};
            begin(p, round % 2, (uint64_t)(n + round * 1000));
            sim_disk_die_after(p->disk, n);
            enum charle_err rc = world_try_open(&p->s.a, &p->s.server, "power", false, &err);
            if (!rc) {
                ch_client_core_start(p->s.a.core);
                world_connect(&p->s.a, true);
                for (int i = 0; i < 200 && !sim_disk_is_dead(p->disk); i++)
                    world_step(&p->s.a);
                world_close(&p->s.a);
            }
            was_cut = sim_disk_is_dead(p->disk);
            sim_disk_revive(p->disk, true);
            open_again(p);
            world_connect(&p->s.a, true);
            world_settle(&p->s.a, 20000);
            fake_server_check(&p->s.server, &p->s.a.replica);
            end(p);
        }
        assert_false(was_cut);
    }
}

static int setup(void **state)
{
    struct power *p = calloc(1, sizeof(*p));
    void *inner = NULL;
    secret_setup(&inner);
    p->s = *(struct secret *)inner;
    free(inner);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct power *p = *state;
    if (p->disk)
        end(p);
    fake_server_close(&p->s.server);
    free(p);
    return 0;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(calls_survive_a_power_cut_at_every_write),
        CASE(pages_survive_a_power_cut_at_every_write),
        CASE(new_replica_survives_a_power_cut_at_every_write),
    };
#undef CASE
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
