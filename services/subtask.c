// SubtaskFlow: starting and completing the steps of a task.
//
//   scheduled ──Start──► in_progress ──Complete──► awaiting_review (reviewed types) or complete
//   changes_requested ──Start──► in_progress
//
// Complete may come before Start and then starts as well. Both answer with the present state when it has been reached
// already. When the work was given to someone else while the caller was offline, the caller's time is kept and the
// subtask left alone.
#include "charleos/scheduling.columns.charle.h"
#include "charleos/work.handlers.charle.h"
#include "db/query_words.h"
#include "services/agency.h"
#include "services/ledger.h"
#include "services/store.h"
#include "services/task.h"
#include "services/time.h"

struct step { // a subtask with its task
    struct charleos_subtask *subtask;
    struct charleos_task *task;
    bool is_own; // the caller's work, or a manager is calling
};

static enum charle_err open_step(struct charle_context *context, struct charle_str subtask_id, struct step *step,
                                 struct charle_error *err)
{
    struct charle_str caller;
    enum charle_err rc = ch_agency_caller(context, &caller, err);

    step->subtask = CHARLE_ARENA_NEW(context->arena, struct charleos_subtask);
    step->task = CHARLE_ARENA_NEW(context->arena, struct charleos_task);
    if (!rc && (!step->subtask || !step->task))
        rc = charle_fail(err, CHARLE_NO_MEMORY, "no memory for a subtask");
    if (!rc)
        rc = ch_store_get(context, &charleos_subtask_table, subtask_id, step->subtask, err);
    if (!rc)
        rc = ch_store_get(context, &charleos_task_table, step->subtask->task_id, step->task, err);
    if (rc)
        return rc;
    step->is_own =
        ch_is_same(step->subtask->assignee_id, caller) || charle_context_holds(context, CHARLE_STR("managers"));
    return CHARLE_OK;
}

static struct charle_str status_name(int32_t status)
{
    const struct charle_enum_value *value = charle_enum_by_number(&charleos_subtask_status_enum, status);

    return value ? value->name : CHARLE_STR("unknown");
}

static enum charle_err not_yours(const struct step *step, struct charle_error *err)
{
    return charle_fail(err, CHARLE_PERMISSION_DENIED,
                       "this step of task #%d is %s; only its assignee or a manager moves it", step->task->display_id,
                       step->subtask->assignee_id.has ? "someone else's work" : "nobody's work yet");
}

static enum charle_err wrong_state(const struct step *step, const char *wanted, struct charle_error *err)
{
    return charle_fail(err, CHARLE_FAILED_PRECONDITION, "this step of task #%d is %.*s; %s", step->task->display_id,
                       CHARLE_FMT(status_name(step->subtask->status)), wanted);
}

// Stores what the struct says, derives the task's status, writes the log, and finishes the requirement with its last
// step.
static enum charle_err close_step(struct charle_context *context, struct step *step, const char *verb,
                                  struct charle_error *err)
{
    struct charleos_subtask *row = step->subtask;
    struct ch_activity activity = {
        .verb = verb, .subject_type = "subtask", .subject_id = row->id, .client_id = ch_some(step->task->client_id)};
    enum charle_err rc;

    row->updated_at = context->now;
    rc =
        charle_run(context->db,
                   charle_update(subtask, eq(subtask.id, row->id), set(subtask.status, row->status),
                                 set(subtask.started_at, row->started_at), set(subtask.completed_at, row->completed_at),
                                 set(subtask.handoff_url, row->handoff_url), set(subtask.updated_at, row->updated_at)),
                   NULL, err);
    if (!rc)
        rc = ch_task_derive(context, step->task, err);
    if (!rc)
        rc = ch_agency_log(context, &activity, err);
    if (!rc && step->subtask->status == CHARLEOS_SUBTASK_STATUS_COMPLETE && step->subtask->task_requirement_id.has)
        rc = ch_ledger_finish(context, step->subtask->task_requirement_id.value, step->task->client_id, err);
    return rc;
}

static void begin(struct charle_context *context, struct charleos_subtask *row)
{
    row->status = CHARLEOS_SUBTASK_STATUS_IN_PROGRESS;
    if (!row->started_at.has)
        row->started_at = (struct charle_opt_ts){.value = context->now, .has = true};
}

enum charle_err charleos_subtask_flow_start(struct charle_context *context,
                                            const struct charleos_start_subtask_request *request,
                                            struct charleos_start_subtask_reply *reply, struct charle_error *err)
{
    struct step step;
    enum charle_err rc = open_step(context, request->subtask_id, &step, err);

    if (rc)
        return rc;
    reply->subtask = step.subtask;
    reply->task = step.task;
    if (!step.is_own)
        return not_yours(&step, err);
    if (step.subtask->status == CHARLEOS_SUBTASK_STATUS_IN_PROGRESS)
        return CHARLE_OK;
    if (step.subtask->status != CHARLEOS_SUBTASK_STATUS_SCHEDULED &&
        step.subtask->status != CHARLEOS_SUBTASK_STATUS_CHANGES_REQUESTED)
        return wrong_state(&step, "only scheduled work can be started", err);
    begin(context, step.subtask);
    return close_step(context, &step, "subtask.started", err);
}

static bool is_reviewed(int32_t type)
{
    return type == CHARLEOS_SUBTASK_TYPE_DESIGN || type == CHARLEOS_SUBTASK_TYPE_CLIENT_DESIGN_FEEDBACK ||
           type == CHARLEOS_SUBTASK_TYPE_INTERNAL_QA_REVIEW || type == CHARLEOS_SUBTASK_TYPE_EXTERNAL_QA_REVIEW ||
           type == CHARLEOS_SUBTASK_TYPE_DEPLOYMENT;
}

static enum charle_err log_time(struct charle_context *context, const struct charleos_complete_subtask_request *request,
                                struct charleos_complete_subtask_reply *reply, struct charle_error *err)
{
    struct charleos_time_entry *entry = CHARLE_ARENA_NEW(context->arena, struct charleos_time_entry);
    int32_t day_minutes = 0;
    struct charleos_log_time_request log = {
        .date = request->date.has ? request->date.value : ch_agency_day(context->now),
        .minutes = request->minutes.value,
        .activity_type = CHARLEOS_ACTIVITY_TYPE_TASK,
        .subtask_id = ch_some(request->subtask_id),
        .notes = request->notes,
        .source = {.value = CHARLEOS_TIME_SOURCE_COMPLETION, .has = true},
    };

    if (!request->minutes.has)
        return CHARLE_OK;
    if (!entry)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a time entry");
    reply->entry = entry;
    return ch_time_log(context, &log, entry, &day_minutes, err);
}

static enum charle_err check_handoff(const struct step *step, const struct charleos_complete_subtask_request *request,
                                     struct charle_error *err)
{
    struct charle_str url = request->handoff_url.value;

    if (request->handoff_url.has && !charle_str_has_prefix(url, CHARLE_STR("https://")) &&
        !charle_str_has_prefix(url, CHARLE_STR("http://")))
        return charle_fail(err, CHARLE_INVALID_ARGUMENT,
                           "handoff_url must be an address that begins with https:// or http://");
    if (step->subtask->type == CHARLEOS_SUBTASK_TYPE_DESIGN && !request->handoff_url.has &&
        !step->subtask->handoff_url.has)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                           "a design is finished with the address of its hand-off; give handoff_url");
    return CHARLE_OK;
}

// The work was given away while the caller was on a train: the time was worked and stays, the step is the other
// person's to finish.
static enum charle_err keep_time_only(struct charle_context *context, const struct step *step,
                                      const struct charleos_complete_subtask_request *request,
                                      struct charleos_complete_subtask_reply *reply, struct charle_error *err)
{
    if (!context->is_replay || !request->minutes.has)
        return not_yours(step, err);
    context->merge_note = charle_arena_printf(
        context->arena, "this step of task #%d was given to someone else; your time was kept, the step is not finished",
        step->task->display_id);
    return log_time(context, request, reply, err);
}

enum charle_err charleos_subtask_flow_complete(struct charle_context *context,
                                               const struct charleos_complete_subtask_request *request,
                                               struct charleos_complete_subtask_reply *reply, struct charle_error *err)
{
    struct step step;
    enum charle_err rc = open_step(context, request->subtask_id, &step, err);

    if (rc)
        return rc;
    reply->subtask = step.subtask;
    reply->task = step.task;
    if (!step.is_own)
        return keep_time_only(context, &step, request, reply, err);
    if (step.subtask->status == CHARLEOS_SUBTASK_STATUS_AWAITING_REVIEW ||
        step.subtask->status == CHARLEOS_SUBTASK_STATUS_COMPLETE)
        return CHARLE_OK;
    if (step.subtask->status == CHARLEOS_SUBTASK_STATUS_UNSCHEDULED ||
        step.subtask->status == CHARLEOS_SUBTASK_STATUS_CANCELLED)
        return wrong_state(&step, "only work that was scheduled or started can be completed", err);
    rc = check_handoff(&step, request, err);
    if (!rc)
        rc = log_time(context, request, reply, err);
    if (rc)
        return rc;
    begin(context, step.subtask);
    if (request->handoff_url.has)
        step.subtask->handoff_url = request->handoff_url;
    step.subtask->status = CHARLEOS_SUBTASK_STATUS_AWAITING_REVIEW;
    if (!is_reviewed(step.subtask->type)) {
        step.subtask->status = CHARLEOS_SUBTASK_STATUS_COMPLETE;
        step.subtask->completed_at = (struct charle_opt_ts){.value = context->now, .has = true};
    }
    return close_step(context, &step, "subtask.completed", err);
}
