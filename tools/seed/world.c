#include "tools/seed/world.h"

#include "base/alloc.h"
#include "tools/seed/copy.h"

#include <stdarg.h>
#include <stdio.h>

const char *const seed_size_name[SEED_SIZES] = {"XS", "S", "M", "L", "XL", "XXL", "not_required"};
const int seed_size_minutes[SEED_SIZES][3] = {
    {0, 15, 30}, {60, 90, 120}, {180, 270, 360}, {480, 720, 960}, {1440, 1920, 2400}, {2400, 4800, 7200}, {0, 0, 0},
};

static void run_out(struct seed_world *world)
{
    if (!world->failed)
        world->failed =
            charle_fail(world->err, CHARLE_NO_MEMORY,
                        "no memory for the seed of %u tasks; ask for fewer, or for plain rows", world->options.tasks);
}

void *seed_vec_push(struct seed_world *world, void **items, size_t *count, size_t *capacity, size_t item_size)
{
    CHARLE_ASSERT(item_size <= sizeof world->scratch);
    if (!world->failed && *count == *capacity) {
        size_t wanted = *capacity ? *capacity * 2 : 64;
        void *more = ch_realloc_array(*items, wanted, item_size);

        if (more) {
            *items = more;
            *capacity = wanted;
        } else {
            run_out(world);
        }
    }
    if (world->failed) {
        memset(world->scratch, 0, sizeof world->scratch);
        return world->scratch;
    }
    memset((char *)*items + *count * item_size, 0, item_size);
    return (char *)*items + (*count)++ * item_size;
}

void *seed_alloc(struct seed_world *world, size_t size)
{
    void *memory = charle_arena_alloc(&world->arena, size);

    if (memory)
        return memory;
    run_out(world);
    CHARLE_ASSERT(size <= sizeof world->scratch);
    return world->scratch;
}

const char *seed_text(struct seed_world *world, const char *format, ...)
{
    char text[4096];
    struct charle_str copy;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CHARLE_ASSERT(len >= 0 && (size_t)len < sizeof text);
    copy = charle_arena_str(&world->arena, charle_str_n(text, (size_t)len));
    if (!copy.ptr)
        run_out(world);
    return copy.ptr ? copy.ptr : "";
}

int seed_room(const struct seed_world *world, const struct seed_user *user, int32_t day)
{
    int room;

    if (day < world->first || day > world->last || world->is_closed[day - world->first] || day < user->joined)
        return 0;
    room = user->capacity * (2 - user->away[day - world->first]) / 2 - user->busy[day - world->first];
    return room > 0 ? room : 0;
}

int seed_pick_user(struct seed_world *world, const char *work_type, int32_t day)
{
    int found[2] = {-1, -1};

    for (int try = 0; try < 2; try++) {
        uint32_t from = seed_below(&world->random, (uint32_t)world->users.count);

        for (size_t i = 0; i < world->users.count && found[try] < 0; i++) {
            size_t at = (from + i) % world->users.count;
            const struct seed_user *user = &world->users.items[at];

            if (user->work_type && strcmp(user->work_type, work_type) == 0 && strcmp(user->status, "active") == 0)
                found[try] = (int)at;
        }
    }
    if (day && found[0] >= 0 &&
        seed_room(world, &world->users.items[found[1]], day) > seed_room(world, &world->users.items[found[0]], day))
        return found[1];
    return found[0];
}

int seed_pick_contact(struct seed_world *world, int client)
{
    const struct seed_client *c = &world->clients.items[client];
    uint32_t from = seed_below(&world->random, (uint32_t)c->contact_count);

    for (int i = 0; i < c->contact_count; i++) {
        int at = c->first_contact + ((int)from + i) % c->contact_count;

        if (strcmp(world->contacts.items[at].status, "active") == 0)
            return at;
    }
    return -1;
}

int seed_log(struct seed_world *world, int user, int32_t day, int minutes, const char *activity)
{
    struct seed_user *person = &world->users.items[user];
    struct seed_entry *entry;
    int room = seed_room(world, person, day);

    if (minutes > room)
        minutes = room;
    if (minutes <= 0 || day > world->today)
        return -1;
    person->busy[day - world->first] = (uint16_t)(person->busy[day - world->first] + minutes);
    entry = SEED_PUSH(world, &world->entries);
    *entry = (struct seed_entry){.user = user,
                                 .client = -1,
                                 .task = -1,
                                 .subtask = -1,
                                 .work = -1,
                                 .ticket = -1,
                                 .project_task = -1,
                                 .period = -1,
                                 .day = day,
                                 .minutes = minutes,
                                 .activity = activity,
                                 .source = "wizard"};
    seed_make_id(&world->random, seed_at(world, day, 17), entry->id);
    return world->failed ? -1 : (int)world->entries.count - 1;
}

void seed_event(struct seed_world *world, int64_t at_us, int user, const char *verb, const char *subject_type,
                const char *subject_id, int client)
{
    struct seed_event *event;

    if (at_us > (int64_t)(world->today + 1) * SEED_DAY_US)
        return; // it has not happened yet
    event = SEED_PUSH(world, &world->events);
    *event = (struct seed_event){
        .at_us = at_us, .user = user, .contact = -1, .client = client, .verb = verb, .subject_type = subject_type};
    memcpy(event->subject_id, subject_id, SEED_ID_SIZE); // the item itself may move
}

static void fill_calendar(struct seed_world *world)
{
    for (int32_t day = world->first; day <= world->last; day++)
        world->is_closed[day - world->first] = (day + 4) % 7 == 0 || (day + 4) % 7 == 6;
    for (int year = world->first_year; year <= world->first_year + 3; year++) {
        struct seed_holiday holidays[10];
        size_t count = seed_holidays_of(year, holidays);

        for (size_t i = 0; i < count; i++)
            if (holidays[i].day >= world->first && holidays[i].day <= world->last)
                world->is_closed[holidays[i].day - world->first] = 1;
    }
}

enum charle_err seed_world_init(struct seed_world *world)
{
    int year, month, day;

    charle_arena_init(&world->arena, (size_t)2 << 30); // the largest agency needs about 1 GiB
    seed_random_init(&world->random, world->options.seed);
    world->today = world->options.today.days;
    charle_date_parts(world->options.today, &year, &month, &day);
    world->first_year = year - 1;
    world->first_month = month;
    world->first = charle_date_of(year - 1, month, 1).days;
    world->last = world->today + SEED_FUTURE_DAYS;
    world->is_closed = charle_arena_alloc(&world->arena, (size_t)(world->last - world->first + 1));
    if (!world->is_closed)
        return charle_fail(world->err, CHARLE_NO_MEMORY, "no memory for the seed's calendar");
    fill_calendar(world);
    return CHARLE_OK;
}

void seed_world_deinit(struct seed_world *world)
{
    void *vectors[] = {
        world->users.items,     world->plans.items,        world->clients.items, world->contacts.items,
        world->quotes.items,    world->requirements.items, world->tasks.items,   world->works.items,
        world->subtasks.items,  world->reviews.items,      world->entries.items, world->tickets.items,
        world->messages.items,  world->projects.items,     world->phases.items,  world->project_tasks.items,
        world->sign_offs.items, world->blocks.items,       world->items.items,   world->leaves.items,
        world->periods.items,   world->events.items};

    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        ch_free(vectors[i]);
    charle_arena_deinit(&world->arena);
}

enum charle_err seed_sql(struct seed_world *world, const char *sql)
{
    PGresult *result = PQexec(world->pg, sql);
    enum charle_err rc = CHARLE_OK;
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        rc = seed_fail_pg(world->pg, result, "seeding", world->err);
    PQclear(result);
    return rc;
}
