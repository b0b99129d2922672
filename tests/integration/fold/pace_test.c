// How long a long push rests: worlds with a clock of their own, in which calls come every 4 ms and parts do to them what the test says.
#include "../charled/test.h"
#include "server/pace.h"

enum { MS = 1000, CALL_EVERY = 4 * MS, PART = 4 * MS, PART_CALLS = 60 };

struct world {
    struct ch_pace pace;
    uint64_t dice;
    int64_t now_us, part_until_us, free_at_us;
    int64_t near_us;     // what some of the calls take that meet a part; others take 500 to 1,500
    unsigned one_in;     // so many
    int64_t calls, slow; // above twice what 99 of 100 take without parts
    int64_t parts;
};

static uint64_t roll(struct world *world)
{
    world->dice = world->dice * 6364136223846793005u + 1442695040888963407u;
    return world->dice >> 33;
}

static void move_parts(struct world *world, int64_t now_us, bool pushes)
{
    if (world->part_until_us && now_us >= world->part_until_us) {
        world->free_at_us = now_us + ch_pace_end(&world->pace, PART_CALLS, now_us);
        world->part_until_us = 0;
    } else if (pushes && !world->part_until_us && now_us >= world->free_at_us) {
        ch_pace_begin(&world->pace, now_us);
        world->part_until_us = now_us + PART;
        world->parts++;
    }
}

static void live(struct world *world, int64_t seconds, bool pushes)
{
    world->calls = world->slow = world->parts = 0;
    for (int64_t until_us = world->now_us + seconds * 1000 * MS; world->now_us < until_us; world->now_us += CALL_EVERY) {
        move_parts(world, world->now_us, pushes);
        int64_t took_us = world->part_until_us && roll(world) % world->one_in == 0 ? world->near_us : 500 + (int64_t)(roll(world) % 1000);
        ch_pace_call(&world->pace, world->now_us, world->now_us + took_us);
        world->calls++;
        world->slow += took_us > 3000;
    }
}

static int set_up(void **state)
{
    static struct world world;
    world = (struct world){.dice = 7, .one_in = 1, .now_us = MS};
    ch_pace_init(&world.pace);
    *state = &world;
    return 0;
}

static void what_most_calls_stay_below_is_learned(void **state)
{
    struct world *world = *state;
    live(world, 600, false);
    assert_in_range((int64_t)world->pace.slow_us, 1350, 1700); // the 99th percentile is 1,490
}

static void parts_that_nobody_feels_come_soon_after_each_other(void **state)
{
    struct world *world = *state;
    world->near_us = 1000;
    live(world, 600, false);
    live(world, 600, true);
    assert_true(world->pace.rest < 2.1);
}

static void calls_that_are_slow_stay_below_one_in_a_hundred(void **state)
{
    struct world *world = *state;
    world->near_us = 9000;
    world->one_in = 4;
    live(world, 600, false);
    live(world, 600, true);
    live(world, 3600, true);
    assert_true(world->slow * 100 < world->calls);
    assert_true(world->slow * 1000 > world->calls); // but what may be had is taken
    assert_true(world->parts > 3600);
}

// Where every call that meets a part is slow the backlog still gets on.
static void a_backlog_always_gets_on(void **state)
{
    struct world *world = *state;
    world->near_us = 9000;
    live(world, 1200, true);
    assert_true(world->parts * PART_CALLS >= 1200 * 240);
}

static void nothing_is_concluded_from_a_few_calls(void **state)
{
    struct world *world = *state;
    double rest = world->pace.rest;
    for (int i = 0; i < 50; i++)
        ch_pace_call(&world->pace, world->now_us, world->now_us + MS);
    ch_pace_begin(&world->pace, world->now_us);
    ch_pace_call(&world->pace, world->now_us, world->now_us + 50 * MS);
    assert_true(world->pace.rest == rest);
}

// Calls that have become slower by themselves are at first taken for slowed ones; the longer rests show what they are.
static void slower_work_is_not_blamed_on_parts_for_long(void **state)
{
    struct world *world = *state;
    world->near_us = 1000;
    live(world, 600, false);
    for (int i = 0; i < 100000; i++) {
        move_parts(world, world->now_us, true);
        ch_pace_call(&world->pace, world->now_us, world->now_us + 5000 + (int64_t)(roll(world) % 1000));
        world->now_us += 8 * MS;
    }
    assert_in_range((int64_t)world->pace.slow_us, 5000, 7000);
    assert_true(world->pace.rest < 2.1);
}

static void a_rest_is_bounded(void **state)
{
    struct world *world = *state;
    ch_pace_begin(&world->pace, MS);
    assert_in_range(ch_pace_end(&world->pace, 25, 60 * 1000 * (int64_t)MS), 1, 100 * MS); // 250 calls a second
    ch_pace_begin(&world->pace, MS);
    assert_in_range(ch_pace_end(&world->pace, 1000000, 3600 * 1000 * (int64_t)MS), 1, 1000 * MS);
    ch_pace_begin(&world->pace, 5 * MS);
    assert_in_range(ch_pace_end(&world->pace, 1, 4 * MS), 1, 1000 * MS); // a clock that stands still
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_most_calls_stay_below_is_learned, set_up),
        cmocka_unit_test_setup(parts_that_nobody_feels_come_soon_after_each_other, set_up),
        cmocka_unit_test_setup(calls_that_are_slow_stay_below_one_in_a_hundred, set_up),
        cmocka_unit_test_setup(a_backlog_always_gets_on, set_up),
        cmocka_unit_test_setup(nothing_is_concluded_from_a_few_calls, set_up),
        cmocka_unit_test_setup(slower_work_is_not_blamed_on_parts_for_long, set_up),
        cmocka_unit_test_setup(a_rest_is_bounded, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
