// Team members and their leave.
#include "tools/seed/words.h"
#include "tools/seed/world.h"

#include <ctype.h>
#include <stdio.h>

enum { DEVELOPMENT, DESIGN, QUALITY, PROJECTS, SUCCESS, SALES, LEADERSHIP };

struct known { // the people everyone may sign in as
    const char *id, *name, *email, *title, *access, *work_type;
    int department, reports_to;
};
static const struct known known[] = {
    {"01J00000000000000000000ADA", "Ada Lovell", "ada@charleos.test", "Managing Director", "admin", NULL, LEADERSHIP,
     -1},
    {"01J000000000000000000000MO", "Mo Farrow", "mo@charleos.test", "Head of Delivery", "manager", "pm", LEADERSHIP, 0},
    {"01J00000000000000000000PIA", "Pia Lindqvist", "pia@charleos.test", "Project Manager", "staff", "pm", PROJECTS, 1},
    {"01J00000000000000000000CAS", "Cas Okoro", "cas@charleos.test", "Client Success Manager", "staff", "csm", SUCCESS,
     1},
    {"01J00000000000000000000DEV", "Dev Anand", "dev@charleos.test", "Developer", "staff", "development", DEVELOPMENT,
     1},
    {"01J00000000000000000000DEE", "Dee Hart", "dee@charleos.test", "Designer", "staff", "design", DESIGN, 1},
    {"01J00000000000000000000QUI", "Quin Marlow", "quin@charleos.test", "Tester", "staff", "qa", QUALITY, 1},
    {"01J00000000000000000000SID", "Sid Barrow", "sid@charleos.test", "Sales Development", "staff", "sdr", SALES, 0},
};
#define KNOWN_COUNT ((int)(sizeof known / sizeof *known))

static const struct {
    const char *work_type, *title;
    int department;
} trades[] = {{"development", "Developer", DEVELOPMENT},
              {"design", "Designer", DESIGN},
              {"development", "Developer", DEVELOPMENT},
              {"qa", "Tester", QUALITY},
              {"development", "Senior Developer", DEVELOPMENT},
              {"csm", "Client Success Manager", SUCCESS},
              {"design", "Senior Designer", DESIGN},
              {"pm", "Project Manager", PROJECTS},
              {"development", "Developer", DEVELOPMENT},
              {"development", "Developer", DEVELOPMENT}};

const struct charle_seed_person *charle_seed_people(size_t *out_count)
{
    static const struct charle_seed_person people[] = {
        {"user", "01J00000000000000000000ADA", "Ada Lovell", "ada@charleos.test", "administrator"},
        {"user", "01J000000000000000000000MO", "Mo Farrow", "mo@charleos.test", "manager"},
        {"user", "01J00000000000000000000PIA", "Pia Lindqvist", "pia@charleos.test", "project manager"},
        {"user", "01J00000000000000000000CAS", "Cas Okoro", "cas@charleos.test", "client success manager"},
        {"user", "01J00000000000000000000DEV", "Dev Anand", "dev@charleos.test", "developer"},
        {"user", "01J00000000000000000000DEE", "Dee Hart", "dee@charleos.test", "designer"},
        {"user", "01J00000000000000000000QUI", "Quin Marlow", "quin@charleos.test", "tester"},
        {"user", "01J00000000000000000000SID", "Sid Barrow", "sid@charleos.test", "sales development"},
        {"client_user", "01J00000000000000000000PAT", "Pat Northwind", "pat@northwind.test",
         "portal user of Northwind"},
    };
    *out_count = sizeof people / sizeof *people;
    return people;
}

static int capacity_of(const char *access, const char *work_type)
{
    if (strcmp(access, "admin") == 0)
        return 240;
    if (strcmp(access, "manager") == 0)
        return 270;
    return work_type && (strcmp(work_type, "pm") == 0 || strcmp(work_type, "csm") == 0) ? 300 : 390;
}

static const char *lower_email(struct seed_world *world, const char *first, const char *last, size_t number)
{
    char text[100];
    int len = number ? snprintf(text, sizeof text, "%s.%s%zu@charleos.test", first, last, number)
                     : snprintf(text, sizeof text, "%s.%s@charleos.test", first, last);

    for (int i = 0; i < len; i++)
        text[i] = (char)tolower((unsigned char)text[i]);
    return seed_text(world, "%s", text);
}

static void add_known(struct seed_world *world, const struct known *person)
{
    struct seed_user *user = SEED_PUSH(world, &world->users);

    *user = (struct seed_user){.name = person->name,
                               .email = person->email,
                               .title = person->title,
                               .access = person->access,
                               .work_type = person->work_type,
                               .department = person->department,
                               .reports_to = person->reports_to};
    memcpy(user->id, person->id, SEED_ID_SIZE);
    user->status = "active";
    user->is_executive = person->reports_to == -1;
    user->joined = world->first - 400;
}

static void add_user(struct seed_world *world, size_t index)
{
    struct seed_user *user = SEED_PUSH(world, &world->users);
    size_t place = index - (size_t)KNOWN_COUNT;
    size_t trade = place % (sizeof trades / sizeof *trades);
    const char *first = seed_first_name(place), *last = seed_last_name(place * 7 + 3);

    *user = (struct seed_user){.name = seed_text(world, "%s %s", first, last),
                               .title = trades[trade].title,
                               .access = "staff",
                               .status = "active",
                               .work_type = trades[trade].work_type,
                               .department = trades[trade].department,
                               .reports_to = 1};
    user->email = lower_email(world, first, last, place / 48);
    user->joined = world->first - seed_between(&world->random, 0, 1500);
    seed_make_id(&world->random, seed_at(world, user->joined, 9), user->id);
}

// The last three are not at work: asked for, invited, gone.
static void retire_last(struct seed_world *world)
{
    size_t count = world->users.count;

    world->users.items[count - 1].status = "deactivated";
    world->users.items[count - 2].status = "sent";
    world->users.items[count - 3].status = "pending";
    world->users.items[count - 3].work_type = NULL;
    world->users.items[count - 3].title = NULL;
}

static void equip(struct seed_world *world, struct seed_user *user)
{
    size_t days = (size_t)(world->last - world->first + 1);
    int month;

    user->capacity = capacity_of(user->access, user->work_type);
    user->has_capacity = strcmp(user->access, "admin") != 0 && user->department != SALES;
    user->busy = seed_alloc(world, days * sizeof *user->busy);
    user->away = seed_alloc(world, days);
    month = seed_between(&world->random, 1, 12);
    user->birthday = seed_text(world, "%02d-%02d", month, seed_between(&world->random, 1, 28));
    if (user->department <= QUALITY)
        user->engagement = seed_chance(&world->random, 75) ? "retainer" : "project";
}

void seed_make_people(struct seed_world *world)
{
    for (int i = 0; i < KNOWN_COUNT; i++)
        add_known(world, &known[i]);
    for (size_t i = (size_t)KNOWN_COUNT; i < world->options.users; i++)
        add_user(world, i);
    retire_last(world);
    for (size_t i = 0; i < world->users.count && !world->failed; i++)
        equip(world, &world->users.items[i]);
}

// --- leave -----------------------------------------------------------------------------------------------------------

static bool is_away_in(const struct seed_world *world, const struct seed_user *user, int32_t start, int32_t end)
{
    for (int32_t day = start; day <= end; day++)
        if (user->away[day - world->first])
            return true;
    return false;
}

static void decide_leave(struct seed_world *world, struct seed_leave *leave)
{
    const struct seed_user *user = &world->users.items[leave->user];
    int32_t asked = leave->start - seed_between(&world->random, 10, 40);
    bool is_filed = strcmp(leave->type, "sick") == 0; // by the manager, on the day

    if (is_filed)
        asked = leave->start;
    if (asked > world->today)
        asked = world->today;
    leave->created_us = seed_at(world, asked, 9);
    leave->creator = is_filed ? user->reports_to : leave->user;
    leave->status = "approved";
    leave->decided_us = leave->created_us + SEED_DAY_US * (is_filed ? 0 : 1) + 3600000000;
    leave->decider = user->reports_to;
    if (leave->start > world->today && seed_chance(&world->random, 50))
        leave->status = "pending";
    else if (!is_filed && seed_chance(&world->random, 8))
        leave->status = seed_chance(&world->random, 50) ? "declined" : "cancelled";
    if (strcmp(leave->status, "pending") == 0 || strcmp(leave->status, "cancelled") == 0) {
        leave->decided_us = 0;
        leave->decider = -1;
    }
}

static void add_leave(struct seed_world *world, int index, const char *type, int32_t start, int length, bool is_half)
{
    struct seed_user *user = &world->users.items[index];
    struct seed_leave *leave;
    int32_t end;

    start = seed_next_working_day(world, start);
    end = is_half ? start : start + length - 1;
    if (start < world->first || end > world->last || is_away_in(world, user, start, end))
        return;
    leave = SEED_PUSH(world, &world->leaves);
    *leave = (struct seed_leave){.user = index, .type = type, .start = start, .end = end, .day_type = "full_day"};
    if (is_half)
        leave->day_type = seed_chance(&world->random, 50) ? "half_day_am" : "half_day_pm";
    if (strcmp(type, "annual") != 0 && strcmp(type, "birthday") != 0)
        leave->reason = strcmp(type, "sick") == 0 ? "Flu" : "Family";
    seed_make_id(&world->random, (start - 20) * SEED_DAY_US, leave->id);
    decide_leave(world, leave);
    for (int32_t day = start; day <= end; day++) {
        int halves = seed_is_working_day(world, day) ? is_half ? 1 : 2 : 0;

        leave->half_days += halves;
        if (strcmp(leave->status, "approved") == 0)
            user->away[day - world->first] = (uint8_t)halves;
    }
    seed_event(world, leave->created_us, leave->creator, "leave.requested", "leave_request", leave->id, -1);
}

static void add_birthday(struct seed_world *world, int index)
{
    const struct seed_user *user = &world->users.items[index];
    int month = (user->birthday[0] - '0') * 10 + user->birthday[1] - '0';
    int day = (user->birthday[3] - '0') * 10 + user->birthday[4] - '0';
    int32_t date = charle_date_of(world->first_year, month, day).days;

    if (date < world->first)
        date = charle_date_of(world->first_year + 1, month, day).days;
    add_leave(world, index, "birthday", date + seed_between(&world->random, 0, 5), 1, false);
}

// Leave that begins on a random day of history, or of the future as well.
static void add_some_leave(struct seed_world *world, int index, const char *type, bool is_past, int length_max,
                           bool is_half)
{
    int days = world->last - world->first - 15 - (is_past ? SEED_FUTURE_DAYS : 0);
    int32_t start = world->first + seed_between(&world->random, 0, days);

    add_leave(world, index, type, start, seed_between(&world->random, length_max > 2 ? 2 : 1, length_max), is_half);
}

void seed_make_leave(struct seed_world *world)
{
    for (int i = 0; i < (int)world->users.count && !world->failed; i++) {
        const struct seed_user *user = &world->users.items[i];

        if (strcmp(user->status, "active") != 0 || user->reports_to < 0)
            continue;
        for (int n = seed_between(&world->random, 3, 5); n > 0; n--)
            add_some_leave(world, i, "annual", false, 10, false);
        add_some_leave(world, i, "annual", false, 1, true);
        add_some_leave(world, i, "sick", true, 2, false);
        if (seed_chance(&world->random, 15))
            add_some_leave(world, i, seed_chance(&world->random, 50) ? "unpaid" : "compassionate", true, 2, false);
        add_birthday(world, i);
    }
}
