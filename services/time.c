// TimeService: time entries with the rules of days and months.
//
// Order of work: what the request says by itself, who may log for whom, what its links bring (client, task,
// requirement), the month, the day's sum, then the entry, the figures that follow from it, and the log. The entry's id
// is the first that is taken from the call's context, so that laptop and server agree on it whatever else they do.
#include "services/time.h"

#include "charleos/auth.columns.charle.h"
#include "charleos/auxiliary.columns.charle.h"
#include "charleos/billing.columns.charle.h"
#include "charleos/core.columns.charle.h"
#include "charleos/scheduling.columns.charle.h"
#include "charleos/time.handlers.charle.h"
#include "db/query_words.h"
#include "services/agency.h"
#include "services/ledger.h"
#include "services/store.h"

#define PERSON_WORK(FIELD, OUTER)   FIELD(work_type, user.work_type)
#define TASK_OWNER(FIELD, OUTER)    FIELD(client_id, task.client_id)
#define STEP_OWNER(FIELD, OUTER)    FIELD(task_id, subtask.task_id) FIELD(requirement_id, subtask.task_requirement_id)
#define TICKET_OWNER(FIELD, OUTER)  FIELD(client_id, help_desk_ticket.client_id)
#define PROJECT_OWNER(FIELD, OUTER) FIELD(client_id, project.client_id)
#define CLIENT_ITSELF(FIELD, OUTER) FIELD(client_id, client.id)
#define DAY_SUM(FIELD, OUTER)       FIELD(minutes, sum_of(time_entry.minutes))
CHARLE_SHAPE(person_work, PERSON_WORK);
CHARLE_SHAPE(task_owner, TASK_OWNER);
CHARLE_SHAPE(step_owner, STEP_OWNER);
CHARLE_SHAPE(ticket_owner, TICKET_OWNER);
CHARLE_SHAPE(project_owner, PROJECT_OWNER);
CHARLE_SHAPE(client_itself, CLIENT_ITSELF);
CHARLE_SHAPE(day_sum, DAY_SUM);

#define ENTRY_MINUTES_MAX 720
#define DAY_MINUTES       1440

static enum charle_err check_request(const struct charle_context *context,
                                     const struct charleos_log_time_request *request, struct charle_error *err)
{
    char date[CHARLE_DATE_TEXT_SIZE];
    bool has_link = request->task_id.has || request->subtask_id.has || request->help_desk_ticket_id.has ||
                    request->project_task_id.has;
    int kinds = (request->task_id.has || request->subtask_id.has) + request->help_desk_ticket_id.has +
                request->project_task_id.has;

    if (request->minutes < 1 || request->minutes > ENTRY_MINUTES_MAX)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "an entry takes 1 to %d minutes, not %d; split longer work",
                           ENTRY_MINUTES_MAX, request->minutes);
    if (request->date.days > ch_agency_day(context->now).days) {
        charle_date_write(request->date, date);
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "%s is in the future; time is logged for today or an earlier day", date);
    }
    if (kinds > 1)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "an entry is for a task, a ticket or a project task; give one of them");
    if (request->is_internal.has && request->is_internal.value && (has_link || request->client_id.has))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "internal time has no client and no task; leave is_internal out or the others");
    if (request->activity_type == CHARLEOS_ACTIVITY_TYPE_HELP_DESK && !request->help_desk_ticket_id.has)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "help-desk time needs its ticket; give help_desk_ticket_id");
    return CHARLE_OK;
}

// Whose time it is: the caller's, or another person's when a manager logs it.
static enum charle_err find_person(struct charle_context *context, const struct charleos_log_time_request *request,
                                   struct charleos_time_entry *entry, struct charle_error *err)
{
    struct person_work person;
    struct charle_str caller;
    enum charle_err rc = ch_agency_caller(context, &caller, err);

    if (rc)
        return rc;
    entry->user_id = request->user_id.has ? request->user_id.value : caller;
    if (!charle_str_equal(entry->user_id, caller) && !charle_context_holds(context, CHARLE_STR("managers")))
        return charle_fail(err, CHARLE_PERMISSION_DENIED, "only managers log time for other people");
    rc = charle_fetch_one(context->db, context->arena,
                          charle_select(person_work, from(user), where(eq(user.id, entry->user_id))), &person, err);
    if (rc == CHARLE_NOT_FOUND)
        return charle_fail(err, CHARLE_NOT_FOUND, "there is no person %.*s", CHARLE_FMT(entry->user_id));
    if (!rc)
        entry->work_type = request->work_type.has ? request->work_type : person.work_type;
    return rc;
}

// The client that a link belongs to; it must be the one of the request when that names one.
static enum charle_err take_client(struct charleos_time_entry *entry, struct charle_str client_id, const char *of,
                                   struct charle_error *err)
{
    if (entry->client_id.has && !charle_str_equal(entry->client_id.value, client_id))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "the %s belongs to another client than client_id says; leave client_id out", of);
    entry->client_id = ch_some(client_id);
    return CHARLE_OK;
}

static enum charle_err no_link(enum charle_err rc, const char *of, struct charle_str id, struct charle_error *err)
{
    if (rc != CHARLE_NOT_FOUND)
        return rc;
    return charle_fail(err, CHARLE_NOT_FOUND, "there is no %s %.*s, or it is not yours to see", of, CHARLE_FMT(id));
}

static enum charle_err follow_subtask(struct charle_context *context, struct charleos_time_entry *entry,
                                      struct charle_error *err)
{
    struct charle_str id = entry->subtask_id.value;
    struct step_owner owner;
    enum charle_err rc = charle_fetch_one(
        context->db, context->arena, charle_select(step_owner, from(subtask), where(eq(subtask.id, id))), &owner, err);

    if (rc)
        return no_link(rc, "subtask", id, err);
    if (entry->task_id.has && !charle_str_equal(entry->task_id.value, owner.task_id))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "the subtask belongs to another task than task_id says; leave task_id out");
    entry->task_id = ch_some(owner.task_id);
    entry->task_requirement_id = owner.requirement_id;
    return CHARLE_OK;
}

static enum charle_err follow_task(struct charle_context *context, struct charleos_time_entry *entry,
                                   struct charle_error *err)
{
    struct charle_str id = entry->task_id.value;
    struct task_owner owner;
    enum charle_err rc = charle_fetch_one(context->db, context->arena,
                                          charle_select(task_owner, from(task), where(eq(task.id, id))), &owner, err);

    return rc ? no_link(rc, "task", id, err) : take_client(entry, owner.client_id, "task", err);
}

static enum charle_err follow_ticket(struct charle_context *context, struct charleos_time_entry *entry,
                                     struct charle_error *err)
{
    struct charle_str id = entry->help_desk_ticket_id.value;
    struct ticket_owner owner;
    enum charle_err rc = charle_fetch_one(
        context->db, context->arena,
        charle_select(ticket_owner, from(help_desk_ticket), where(eq(help_desk_ticket.id, id))), &owner, err);

    return rc ? no_link(rc, "ticket", id, err) : take_client(entry, owner.client_id, "ticket", err);
}

static enum charle_err follow_project(struct charle_context *context, struct charleos_time_entry *entry,
                                      struct charle_error *err)
{
    struct charle_str id = entry->project_task_id.value;
    struct project_owner owner;
    enum charle_err rc = charle_fetch_one(context->db, context->arena,
                                          charle_select(project_owner, from(project_task),
                                                        inner_join(project, eq(project.id, project_task.project_id)),
                                                        where(eq(project_task.id, id))),
                                          &owner, err);

    return rc ? no_link(rc, "project task", id, err) : take_client(entry, owner.client_id, "project task", err);
}

static enum charle_err follow_client(struct charle_context *context, struct charleos_time_entry *entry,
                                     struct charle_error *err)
{
    struct charle_str id = entry->client_id.value;
    struct client_itself owner;
    enum charle_err rc = charle_fetch_one(
        context->db, context->arena, charle_select(client_itself, from(client), where(eq(client.id, id))), &owner, err);

    return no_link(rc, "client", id, err);
}

static enum charle_err follow_links(struct charle_context *context, struct charleos_time_entry *entry,
                                    struct charle_error *err)
{
    enum charle_err rc = entry->subtask_id.has ? follow_subtask(context, entry, err) : CHARLE_OK;

    if (rc)
        return rc;
    if (entry->task_id.has)
        return follow_task(context, entry, err);
    if (entry->help_desk_ticket_id.has)
        return follow_ticket(context, entry, err);
    if (entry->project_task_id.has)
        return follow_project(context, entry, err);
    return entry->client_id.has ? follow_client(context, entry, err) : CHARLE_OK;
}

// Billable exactly when it is work on something that is billed; the table checks the same.
static bool is_billable(const struct charleos_time_entry *entry)
{
    bool is_work =
        entry->activity_type == CHARLEOS_ACTIVITY_TYPE_TASK || entry->activity_type == CHARLEOS_ACTIVITY_TYPE_HELP_DESK;

    return is_work && (entry->task_id.has || entry->subtask_id.has || entry->help_desk_ticket_id.has ||
                       entry->project_task_id.has);
}

static enum charle_err sum_of_day(struct charle_context *context, struct charle_str user_id, struct charle_date day,
                                  int32_t *out, struct charle_error *err)
{
    struct day_sum sum = {0};
    enum charle_err rc = charle_fetch_one(
        context->db, context->arena,
        charle_select(day_sum, from(time_entry), where(and(eq(time_entry.user_id, user_id), eq(time_entry.date, day)))),
        &sum, err);

    *out = (int32_t)sum.minutes.value; // a day's entries are few: at most 1440 minutes by our own check
    return rc;
}

static enum charle_err check_day(struct charle_context *context, const struct charleos_time_entry *entry,
                                 int32_t *out_day_minutes, struct charle_error *err)
{
    char date[CHARLE_DATE_TEXT_SIZE];
    enum charle_err rc = CHARLE_OK;

    // Two entries of one person at the same moment must not both fit into the same day.
    if (charle_db_dialect(context->db) == CHARLE_PG)
        rc = ch_store_exec(context, "select 1 from \"user\" where id = $1 for no key update",
                           CH_PARAMS(charle_text(entry->user_id)), NULL, err);
    if (!rc)
        rc = sum_of_day(context, entry->user_id, entry->date, out_day_minutes, err);
    if (rc || *out_day_minutes + entry->minutes <= DAY_MINUTES)
        return rc;
    charle_date_write(entry->date, date);
    return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                       "%s has %d minutes already; a day holds %d, so %d more do not fit", date, *out_day_minutes,
                       DAY_MINUTES, entry->minutes);
}

static enum charle_err make_entry(struct charle_context *context, const struct charleos_log_time_request *request,
                                  struct charleos_time_entry *entry, struct charle_error *err)
{
    enum charle_err rc;

    *entry = (struct charleos_time_entry){
        .id = charle_context_new_id(context),
        .date = request->date,
        .minutes = request->minutes,
        .activity_type = request->activity_type,
        .client_id = request->client_id,
        .task_id = request->task_id,
        .subtask_id = request->subtask_id,
        .help_desk_ticket_id = request->help_desk_ticket_id,
        .project_task_id = request->project_task_id,
        .notes = request->notes,
        .source = request->source.has ? request->source.value : CHARLEOS_TIME_SOURCE_WIZARD,
        .created_at = context->now,
        .updated_at = context->now,
    };
    if (!entry->id.ptr)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for an id");
    rc = find_person(context, request, entry, err);
    if (!rc)
        rc = follow_links(context, entry, err);
    if (rc)
        return rc;
    entry->is_internal = !entry->client_id.has;
    entry->is_billable = is_billable(entry);
    if (entry->is_internal && !(request->is_internal.has && request->is_internal.value))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "say for which client the time was, or that it was internal (is_internal)");
    return CHARLE_OK;
}

static enum charle_err log_deed(struct charle_context *context, const char *verb,
                                const struct charleos_time_entry *entry, struct charle_error *err)
{
    struct ch_activity activity = {
        .verb = verb,
        .subject_type = "time_entry",
        .subject_id = entry->id,
        .client_id = entry->client_id,
        .after = charle_arena_printf(context->arena, "{\"minutes\":%d}", entry->minutes),
    };

    return ch_agency_log(context, &activity, err);
}

enum charle_err ch_time_log(struct charle_context *context, const struct charleos_log_time_request *request,
                            struct charleos_time_entry *out_entry, int32_t *out_day_minutes, struct charle_error *err)
{
    enum charle_err rc = check_request(context, request, err);

    if (!rc)
        rc = make_entry(context, request, out_entry, err);
    if (!rc && out_entry->client_id.has)
        rc = ch_ledger_check_open(context, out_entry->client_id.value, out_entry->date, err);
    if (!rc)
        rc = check_day(context, out_entry, out_day_minutes, err);
    if (!rc)
        rc = ch_store_insert(context, &charleos_time_entry_table, out_entry, err);
    if (!rc)
        rc = ch_ledger_move(context, out_entry, out_entry->minutes, err);
    if (!rc)
        rc = log_deed(context, "time.logged", out_entry, err);
    *out_day_minutes += rc ? 0 : out_entry->minutes;
    return rc;
}

enum charle_err charleos_time_service_log_time(struct charle_context *context,
                                               const struct charleos_log_time_request *request,
                                               struct charleos_log_time_reply *reply, struct charle_error *err)
{
    struct charleos_time_entry *entry = CHARLE_ARENA_NEW(context->arena, struct charleos_time_entry);

    if (!entry)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a time entry");
    reply->entry = entry;
    return ch_time_log(context, request, entry, &reply->day_minutes, err);
}

static enum charle_err check_deletion(struct charle_context *context, const struct charleos_time_entry *entry,
                                      struct charle_error *err)
{
    struct charle_str caller;
    enum charle_err rc = ch_agency_caller(context, &caller, err);

    if (rc)
        return rc;
    if (!charle_str_equal(entry->user_id, caller) && !charle_context_holds(context, CHARLE_STR("managers")))
        return charle_fail(err, CHARLE_PERMISSION_DENIED, "only its owner and managers may delete a time entry");
    if (entry->locked_by_period_id.has)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                           "the entry belongs to a month that is closed; ask a manager for an adjustment");
    return entry->client_id.has ? ch_ledger_check_open(context, entry->client_id.value, entry->date, err) : CHARLE_OK;
}

enum charle_err charleos_time_service_delete_time(struct charle_context *context,
                                                  const struct charleos_delete_time_request *request,
                                                  struct charleos_delete_time_reply *reply, struct charle_error *err)
{
    struct charleos_time_entry entry;
    enum charle_err rc = ch_store_get(context, &charleos_time_entry_table, request->id, &entry, err);

    if (rc == CHARLE_NOT_FOUND)
        return CHARLE_OK; // gone already: what was wanted
    if (!rc)
        rc = check_deletion(context, &entry, err);
    if (!rc)
        rc = charle_run(context->db, charle_delete(time_entry, eq(time_entry.id, entry.id)), NULL, err);
    if (!rc)
        rc = ch_ledger_move(context, &entry, -entry.minutes, err);
    if (!rc)
        rc = log_deed(context, "time.deleted", &entry, err);
    if (!rc)
        rc = sum_of_day(context, entry.user_id, entry.date, &reply->day_minutes.value, err);
    reply->day_minutes.has = !rc;
    return rc;
}
