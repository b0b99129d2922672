// The agency in memory: everything is made here first, then written table by table (write_*.c).
//
// Things refer to each other by index (-1: none), days are days since 1970, moments are microseconds. Stages run in the
// order of the functions at the end; each reads what the earlier ones made. Like the copy, the world remembers its
// first failure: after that pushes hand out a scratch item, so that stages need no checks of their own.
#ifndef CHARLE_TOOLS_SEED_WORLD_H
#define CHARLE_TOOLS_SEED_WORLD_H

#include "base/arena.h"
#include "tools/seed/random.h"
#include "tools/seed/seed.h"

#define SEED_MONTHS      13 // twelve whole months before today's, and today's
#define SEED_FUTURE_DAYS 90 // leave and plans reach into the future
#define SEED_BILLING_DAY 450
#define SEED_DAY_US      ((int64_t)86400 * 1000000)

#define SEED_VEC(type)          \
    struct {                    \
        type *items;            \
        size_t count, capacity; \
    }
// A new zeroed item at the end. Pointers to older items die.
#define SEED_PUSH(world, vec)                                                                                  \
    ((__typeof__((vec)->items))seed_vec_push((world), (void **)&(vec)->items, &(vec)->count, &(vec)->capacity, \
                                             sizeof *(vec)->items))

enum seed_size { SEED_XS, SEED_S, SEED_M, SEED_L, SEED_XL, SEED_XXL, SEED_NOT_REQUIRED, SEED_SIZES };
extern const char *const seed_size_name[SEED_SIZES];
extern const int seed_size_minutes[SEED_SIZES][3]; // least, average, most

struct seed_user {
    char id[SEED_ID_SIZE];
    const char *name, *email, *title, *status, *access;
    const char *work_type, *engagement, *birthday; // NULL: none
    bool has_capacity, is_executive;
    int department, reports_to;
    int32_t joined;
    int capacity;   // minutes a day
    uint16_t *busy; // minutes logged, by day
    uint8_t *away;  // half days of leave, by day
};

struct seed_plan {
    char id[SEED_ID_SIZE];
    const char *name;
    int minutes, pence;
    bool is_custom, is_active;
};

struct seed_client {
    char id[SEED_ID_SIZE];
    const char *name, *slug, *rag, *rag_note, *notes;
    int csm, pm, plan;
    int hours_override, pence_override; // 0: none
    int32_t start, archived;            // archived 0: active
    int first_contact, contact_count;   // portal people
};

struct seed_contact { // of the portal
    char id[SEED_ID_SIZE];
    int client;
    const char *name, *email, *status;
    int64_t invited_us;
};

struct seed_quote {
    char id[SEED_ID_SIZE];
    int client, task, creator, creator_contact, approver, decider; // people, portal people
    const char *title, *description, *status, *previous;
    int first_requirement, requirement_count;
    int64_t created_us, approved_us, decided_us, cancelled_us, updated_us; // 0: not yet
};

struct seed_requirement { // of a quote
    char id[SEED_ID_SIZE];
    int quote, assignee;
    const char *type, *status, *goal;
    enum seed_size size;
    bool is_sized, is_offered;
    int64_t created_us, completed_us;
};

struct seed_task {
    char id[SEED_ID_SIZE];
    int client, quote, project, pm, creator, priority;
    const char *title, *description, *status;
    int32_t planned; // the day its work begins
    int first_work, work_count;
    int first_subtask, subtask_count;
    int64_t created_us, completed_us, cancelled_us, updated_us;
};

struct seed_work { // task_requirement
    char id[SEED_ID_SIZE];
    int task, requirement;
    const char *type, *status;
    enum seed_size size;
    int feedback, actual, billable, banked, overage;
    int64_t completed_us;
    int qa_reviews, qa_rounds;
};

struct seed_subtask {
    char id[SEED_ID_SIZE];
    int task, work, assignee, block, iteration, estimate, suggested;
    const char *type, *status;
    int32_t start, end; // 0: no date
    bool has_handoff;
    int64_t created_us, started_us, completed_us;
};

struct seed_review {
    char id[SEED_ID_SIZE];
    int subtask, round, reviewer, reviewer_contact, spawned;
    const char *outcome, *feedback;
    int64_t decided_us;
};

struct seed_entry { // time_entry
    char id[SEED_ID_SIZE];
    int user, client, task, subtask, work, ticket, project_task, period;
    int32_t day;
    int minutes;
    const char *activity, *source, *notes;
    bool is_billable;
};

struct seed_ticket {
    char id[SEED_ID_SIZE];
    int client, creator, creator_contact, assignee, estimate, actual, quote;
    const char *title, *description, *priority, *status;
    int32_t start, end;
    int64_t created_us, responded_us, resolved_us, closed_us;
    int first_message, message_count;
};

struct seed_message {
    char id[SEED_ID_SIZE];
    int ticket, author, author_contact;
    bool is_internal;
    const char *body;
    int64_t sent_us;
};

struct seed_project {
    char id[SEED_ID_SIZE];
    int client, pm, days, progress;
    const char *title, *description, *status;
    int32_t start, target;
};

struct seed_phase {
    char id[SEED_ID_SIZE];
    int project, position, days, qa_days, logged; // days -1: not budgeted
    const char *name, *kind;
};

struct seed_project_task {
    char id[SEED_ID_SIZE];
    int project, phase, assignee, estimate, logged, position;
    const char *title, *status;
    bool is_qa, needs_uat;
    int32_t start, end;
};

struct seed_sign_off {
    char id[SEED_ID_SIZE];
    int project, project_task, requester, decider; // portal person
    const char *status;
    int64_t requested_us, decided_us;
};

struct seed_block {
    char id[SEED_ID_SIZE];
    int client, round, minutes, assignee;
    const char *type, *status;
    char month[8];
    int32_t start, end;
};

struct seed_item { // schedule_item
    char id[SEED_ID_SIZE];
    const char *kind;
    int subtask, ticket, project_task, block, user, minutes, priority;
    int32_t start, end;
};

struct seed_leave {
    char id[SEED_ID_SIZE];
    int user, half_days, creator, decider;
    const char *type, *day_type, *status, *reason;
    int32_t start, end;
    int64_t created_us, decided_us;
};

struct seed_period {
    char id[SEED_ID_SIZE];
    int client, month; // month: index from world->first_month
    int pence, gross, deduction, allocated, rollover, logged, billable, remaining, banked, overage, help_desk, credit;
    bool is_closed;
};

struct seed_event { // activity_log
    int64_t at_us;
    int user, contact, client;
    const char *verb, *subject_type;
    char subject_id[SEED_ID_SIZE];
};

struct seed_world {
    PGconn *pg;
    struct charle_error *err;
    enum charle_err failed;
    struct charle_arena arena;
    struct seed_random random;
    struct charle_seed_options options; // with defaults filled in
    int32_t first, today, last;         // days: of history, of the clock, of the calendar
    int first_year, first_month;        // of day `first`; months count from here
    uint8_t *is_closed;                 // by day from first: weekend or bank holiday
    int64_t rows;
    char scratch[1024];

    SEED_VEC(struct seed_user) users;
    SEED_VEC(struct seed_plan) plans;
    SEED_VEC(struct seed_client) clients;
    SEED_VEC(struct seed_contact) contacts;
    SEED_VEC(struct seed_quote) quotes;
    SEED_VEC(struct seed_requirement) requirements;
    SEED_VEC(struct seed_task) tasks;
    SEED_VEC(struct seed_work) works;
    SEED_VEC(struct seed_subtask) subtasks;
    SEED_VEC(struct seed_review) reviews;
    SEED_VEC(struct seed_entry) entries;
    SEED_VEC(struct seed_ticket) tickets;
    SEED_VEC(struct seed_message) messages;
    SEED_VEC(struct seed_project) projects;
    SEED_VEC(struct seed_phase) phases;
    SEED_VEC(struct seed_project_task) project_tasks;
    SEED_VEC(struct seed_sign_off) sign_offs;
    SEED_VEC(struct seed_block) blocks;
    SEED_VEC(struct seed_item) items;
    SEED_VEC(struct seed_leave) leaves;
    SEED_VEC(struct seed_period) periods;
    SEED_VEC(struct seed_event) events;
};

void *seed_vec_push(struct seed_world *world, void **items, size_t *count, size_t *capacity, size_t item_size);
void *seed_alloc(struct seed_world *world,
                 size_t size); // zeroed, lives as long as the world; the scratch after a failure
const char *seed_text(struct seed_world *world, const char *format, ...) CHARLE_PRINTF(2, 3);

// The calendar.
bool seed_is_working_day(const struct seed_world *world,
                         int32_t day); // also outside of history; holidays of the years around
int32_t seed_next_working_day(const struct seed_world *world, int32_t day); // `day` itself when it is one
int64_t seed_at(struct seed_world *world, int32_t day, int hour);           // a moment within the hour
int seed_month_of(const struct seed_world *world, int32_t day);             // index; negative before history
int32_t seed_month_start(const struct seed_world *world, int month);
void seed_month_name(const struct seed_world *world, int month, char out[8]);
struct seed_holiday {
    int32_t day;
    const char *name;
};
size_t seed_holidays_of(int year, struct seed_holiday out[10]); // England and Wales; returns their number

// Minutes that a person could still work on a day.
int seed_room(const struct seed_world *world, const struct seed_user *user, int32_t day);
// A random active person of a kind of work, -1 when there is none. With `day`, the less busy of two.
int seed_pick_user(struct seed_world *world, const char *work_type, int32_t day);
int seed_pick_contact(struct seed_world *world, int client); // active, or -1
// Logs time; a day never gets more than the person's capacity.
int seed_log(struct seed_world *world, int user, int32_t day, int minutes, const char *activity);
void seed_event(struct seed_world *world, int64_t at_us, int user, const char *verb, const char *subject_type,
                const char *subject_id, int client);

// The stages.
enum charle_err seed_world_init(struct seed_world *world);
void seed_world_deinit(struct seed_world *world);
void seed_make_people(struct seed_world *world);
void seed_make_leave(struct seed_world *world);
void seed_make_clients(struct seed_world *world);
void seed_make_quotes_and_tasks(struct seed_world *world);
void seed_make_subtasks(struct seed_world *world);
void seed_make_projects(struct seed_world *world);
void seed_make_tickets(struct seed_world *world);
void seed_make_plans_of_days(struct seed_world *world); // blocks, schedule items
void seed_make_meetings(struct seed_world *world);
void seed_make_periods(struct seed_world *world);

enum charle_err seed_write_auth(struct seed_world *world);
enum charle_err seed_write_core(struct seed_world *world);
enum charle_err seed_write_tickets(struct seed_world *world);
enum charle_err seed_write_scheduling(struct seed_world *world);
enum charle_err seed_write_billing(struct seed_world *world);
enum charle_err seed_write_auxiliary(struct seed_world *world);
// Writes plain tasks until the table has options.rows of them.
enum charle_err seed_write_bulk(struct seed_world *world, charle_seed_progress progress, void *ctx);

// Runs a statement without rows.
enum charle_err seed_sql(struct seed_world *world, const char *sql);

#endif
