// TaskFlow: what moves a task as a whole, and the rule by which its status follows its subtasks.
#include "services/task.h"

#include "charleos/core.columns.charle.h"
#include "charleos/scheduling.columns.charle.h"
#include "charleos/work.handlers.charle.h"
#include "db/query_words.h"
#include "msg/json.h"
#include "services/agency.h"
#include "services/store.h"

#define STEP_STATE(FIELD, OUTER)  FIELD(type, subtask.type) FIELD(status, subtask.status)
#define ROADMAP_KEY(FIELD, OUTER) FIELD(id, roadmap_item.id)
CHARLE_SHAPE(step_state, STEP_STATE);
CHARLE_SHAPE(roadmap_key, ROADMAP_KEY);

// Phases in their order: the status a task shows while a subtask of this type is its earliest unfinished one.
static int32_t phase_of(int32_t subtask_type)
{
    switch ((enum charleos_subtask_type)subtask_type) {
    case CHARLEOS_SUBTASK_TYPE_DESIGN:
    case CHARLEOS_SUBTASK_TYPE_CLIENT_DESIGN_FEEDBACK:
        return CHARLEOS_TASK_STATUS_DESIGN;
    case CHARLEOS_SUBTASK_TYPE_DEVELOPMENT:
    case CHARLEOS_SUBTASK_TYPE_INTERNAL_QA_FIXES:
    case CHARLEOS_SUBTASK_TYPE_EXTERNAL_QA_FIXES:
        return CHARLEOS_TASK_STATUS_DEVELOPMENT;
    case CHARLEOS_SUBTASK_TYPE_INTERNAL_QA_REVIEW:
        return CHARLEOS_TASK_STATUS_INTERNAL_QA;
    case CHARLEOS_SUBTASK_TYPE_EXTERNAL_QA_REVIEW:
        return CHARLEOS_TASK_STATUS_EXTERNAL_QA;
    case CHARLEOS_SUBTASK_TYPE_DEPLOYMENT:
        return CHARLEOS_TASK_STATUS_DEPLOYMENT;
    }
    return CHARLEOS_TASK_STATUS_DEVELOPMENT; // a type that a newer server knows
}

struct survey {    // of a task's subtasks
    bool is_begun; // any was scheduled or more
    bool is_any;   // there is one that counts
    int32_t phase; // of the earliest unfinished one; 0: all are finished
};

static void survey_subtask(struct survey *survey, int32_t type, int32_t status)
{
    int32_t phase = phase_of(type);

    if (status == CHARLEOS_SUBTASK_STATUS_CANCELLED)
        return;
    survey->is_any = true;
    survey->is_begun |= status != CHARLEOS_SUBTASK_STATUS_UNSCHEDULED;
    if (status != CHARLEOS_SUBTASK_STATUS_COMPLETE && (!survey->phase || phase < survey->phase))
        survey->phase = phase;
}

static enum charle_err survey_task(struct charle_context *context, struct charle_str task_id, struct survey *out,
                                   struct charle_error *err)
{
    struct step_state *steps = NULL;
    size_t count = 0;
    enum charle_err rc = charle_fetch_all(context->db, context->arena,
                                          charle_select(step_state, from(subtask), where(eq(subtask.task_id, task_id))),
                                          &steps, &count, err);

    *out = (struct survey){0};
    for (size_t i = 0; i < count && !rc; i++)
        survey_subtask(out, steps[i].type, steps[i].status);
    return rc;
}

// Nothing has begun: planned or backlog, by the month's plan. A replica that does not see plans leaves it as it is.
static enum charle_err status_before_work(struct charle_context *context, const struct charleos_task *row, int32_t *out,
                                          struct charle_error *err)
{
    struct roadmap_key found;
    enum charle_err rc;

    *out = row->status;
    if (row->status == CHARLEOS_TASK_STATUS_BACKLOG || row->status == CHARLEOS_TASK_STATUS_PLANNED)
        return CHARLE_OK;
    rc = charle_fetch_one(context->db, context->arena,
                          charle_select(roadmap_key, from(roadmap_item), where(eq(roadmap_item.task_id, row->id))),
                          &found, err);
    *out = rc == CHARLE_OK ? CHARLEOS_TASK_STATUS_PLANNED : CHARLEOS_TASK_STATUS_BACKLOG;
    return rc == CHARLE_NOT_FOUND ? CHARLE_OK : rc;
}

// Stores status, priority and the two moments of the struct.
static enum charle_err store(struct charle_context *context, struct charleos_task *row, struct charle_error *err)
{
    row->updated_at = context->now;
    return charle_run(context->db,
                      charle_update(task, eq(task.id, row->id), set(task.status, row->status),
                                    set(task.priority, row->priority), set(task.completed_at, row->completed_at),
                                    set(task.cancelled_at, row->cancelled_at), set(task.updated_at, row->updated_at)),
                      NULL, err);
}

enum charle_err ch_task_derive(struct charle_context *context, struct charleos_task *row, struct charle_error *err)
{
    struct survey survey;
    int32_t status;
    enum charle_err rc;

    if (row->status == CHARLEOS_TASK_STATUS_CANCELLED)
        return CHARLE_OK;
    rc = survey_task(context, row->id, &survey, err);
    if (rc)
        return rc;
    status = survey.phase ? survey.phase : CHARLEOS_TASK_STATUS_COMPLETE;
    if (!survey.is_begun || !survey.is_any)
        rc = status_before_work(context, row, &status, err);
    if (rc || status == row->status)
        return rc;
    row->status = status;
    row->completed_at = (struct charle_opt_ts){.value = context->now, .has = status == CHARLEOS_TASK_STATUS_COMPLETE};
    return store(context, row, err);
}

static enum charle_err get_task(struct charle_context *context, struct charle_str id, struct charleos_task **out,
                                struct charle_error *err)
{
    *out = CHARLE_ARENA_NEW(context->arena, struct charleos_task);
    return *out ? ch_store_get(context, &charleos_task_table, id, *out, err)
                : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a task");
}

static enum charle_err log_deed(struct charle_context *context, const char *verb, const struct charleos_task *row,
                                struct charle_str after, struct charle_error *err)
{
    struct ch_activity activity = {.verb = verb,
                                   .subject_type = "task",
                                   .subject_id = row->id,
                                   .client_id = ch_some(row->client_id),
                                   .after = after};

    return ch_agency_log(context, &activity, err);
}

enum charle_err charleos_task_flow_set_priority(struct charle_context *context,
                                                const struct charleos_set_priority_request *request,
                                                struct charleos_set_priority_reply *reply, struct charle_error *err)
{
    struct charleos_task *row;
    enum charle_err rc;

    if (request->priority < 1 || request->priority > 5)
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "a priority is 1 (highest) to 5, not %d", request->priority);
    rc = get_task(context, request->task_id, &row, err);
    if (rc)
        return rc;
    reply->task = row;
    if (row->priority == request->priority)
        return CHARLE_OK;
    row->priority = request->priority;
    rc = store(context, row, err);
    if (!rc)
        rc = log_deed(context, "task.priority", row,
                      charle_arena_printf(context->arena, "{\"priority\":%d}", row->priority), err);
    return rc;
}

// Open subtasks go, and what they had on calendars; a replica has no cascades, so the order is written out.
static enum charle_err cancel_subtasks(struct charle_context *context, struct charle_str task_id, int64_t *out_count,
                                       struct charle_error *err)
{
#define IS_OPEN                       \
    and(eq(subtask.task_id, task_id), \
        not_in(subtask.status, CHARLEOS_SUBTASK_STATUS_COMPLETE, CHARLEOS_SUBTASK_STATUS_CANCELLED))
    enum charle_err rc = charle_run(
        context->db,
        charle_delete(schedule_allocation,
                      exists(from(schedule_item), inner_join(subtask, eq(subtask.id, schedule_item.subtask_id)),
                             where(and(eq(schedule_item.id, schedule_allocation.schedule_item_id), IS_OPEN)))),
        NULL, err);

    if (!rc)
        rc = charle_run(
            context->db,
            charle_delete(schedule_item,
                          exists(from(subtask), where(and(eq(subtask.id, schedule_item.subtask_id), IS_OPEN)))),
            NULL, err);
    if (!rc)
        rc = charle_run(context->db,
                        charle_update(subtask, IS_OPEN, set(subtask.status, CHARLEOS_SUBTASK_STATUS_CANCELLED),
                                      set(subtask.updated_at, context->now)),
                        out_count, err);
    return rc;
#undef IS_OPEN
}

static enum charle_err reason_json(struct charle_context *context, struct charle_str reason, struct charle_str *out,
                                   struct charle_error *err)
{
    struct charle_buf buf = {0};

    charle_buf_add_text(&buf, "{\"reason\":");
    charle_json_write_str(&buf, reason);
    charle_buf_add_text(&buf, "}");
    *out = buf.failed ? (struct charle_str){0} : charle_arena_str(context->arena, charle_buf_str(&buf));
    charle_buf_deinit(&buf);
    return out->ptr ? CHARLE_OK : charle_fail(err, CHARLE_NO_MEMORY, "no memory for a reason");
}

enum charle_err charleos_task_flow_cancel_task(struct charle_context *context,
                                               const struct charleos_cancel_task_request *request,
                                               struct charleos_cancel_task_reply *reply, struct charle_error *err)
{
    struct charleos_task *row;
    struct charle_str after = {0};
    int64_t count = 0;
    enum charle_err rc = get_task(context, request->task_id, &row, err);

    if (rc)
        return rc;
    reply->task = row;
    if (row->status == CHARLEOS_TASK_STATUS_CANCELLED)
        return CHARLE_OK;
    if (row->status == CHARLEOS_TASK_STATUS_COMPLETE)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION, "task #%d is complete; only open tasks can be cancelled",
                           row->display_id);
    rc = cancel_subtasks(context, row->id, &count, err);
    if (rc)
        return rc;
    reply->cancelled_subtasks = (int32_t)count;
    row->status = CHARLEOS_TASK_STATUS_CANCELLED;
    row->cancelled_at = (struct charle_opt_ts){.value = context->now, .has = true};
    rc = store(context, row, err);
    if (!rc)
        rc = reason_json(context, request->reason, &after, err);
    return rc ? rc : log_deed(context, "task.cancelled", row, after, err);
}

enum charle_err charleos_task_flow_reopen_task(struct charle_context *context,
                                               const struct charleos_reopen_task_request *request,
                                               struct charleos_reopen_task_reply *reply, struct charle_error *err)
{
    struct charleos_task *row;
    int64_t count = 0;
    enum charle_err rc = get_task(context, request->task_id, &row, err);

    if (rc)
        return rc;
    reply->task = row;
    if (row->status == CHARLEOS_TASK_STATUS_COMPLETE)
        return charle_fail(err, CHARLE_FAILED_PRECONDITION,
                           "task #%d is complete; only cancelled tasks can be reopened", row->display_id);
    if (row->status != CHARLEOS_TASK_STATUS_CANCELLED)
        return CHARLE_OK;
    rc = charle_run(
        context->db,
        charle_update(subtask, and(eq(subtask.task_id, row->id), eq(subtask.status, CHARLEOS_SUBTASK_STATUS_CANCELLED)),
                      set(subtask.status, CHARLEOS_SUBTASK_STATUS_UNSCHEDULED), set(subtask.updated_at, context->now)),
        &count, err);
    if (rc)
        return rc;
    reply->reopened_subtasks = (int32_t)count;
    row->status = 0; // to be derived
    row->cancelled_at.has = false;
    rc = ch_task_derive(context, row, err);
    return rc ? rc : log_deed(context, "task.reopened", row, (struct charle_str){0}, err);
}
