// Everything that must compile, so that the other files fail for their own reason only.
#include "db/query_words.h"
#include "suite/db/agency.h"

#define PAGE(FIELD, OUTER)     \
    FIELD(id, task.id)         \
    FIELD(due_at, task.due_at) \
    FIELD(tags, task.tags)     \
    OUTER(client, client.name) \
    FIELD(parent, task_alias(1).title)
CHARLE_SHAPE(page, PAGE);
#define TOTAL(FIELD, OUTER) \
    FIELD(rows, count_rows()) FIELD(points, sum_of(task.points)) FIELD(last, max_of(task.due_at))
CHARLE_SHAPE(total, TOTAL);

void good(struct charle_db *db, struct charle_arena *arena, int64_t id, const char *pattern, struct charle_ts since);
struct charle_str title(struct page row);
struct charle_opt_text client_name(struct page row);
int64_t total_rows(struct total row);
int64_t total_points(struct total row);

void good(struct charle_db *db, struct charle_arena *arena, int64_t id, const char *pattern, struct charle_ts since)
{
    struct page *rows;
    struct total one;
    struct charle_error err;
    struct task new_task = {0}, *tasks;
    struct task_columns parent = task_alias(1);
    size_t count;
    const struct charle_opt_ts due = {0};
    const char *ids[] = {"a", "b"};
    unsigned char small = 1;
    (void)!charle_fetch_all(
        db, arena,
        charle_select(
            page, from(task), left_join(client, eq(client.id, task.client_id)),
            inner_join(parent, eq(parent.id, task.parent_id)),
            where(and(eq(task.points, id), like(task.title, pattern), gte(task.created_at, since), is_null(task.due_at),
                      in(task.status, TASK_OPEN, TASK_DONE), in_array(task.id, ids, 2), not_in(task.points, 1, 2),
                      eq(task.is_urgent, true), has(task.tags, "x"), eq(task.points, small), ne(task.points, 5u),
                      lt(task.priority, task.points), gt(task.ratio, 1.5f), eq(task.status, TASK_OPEN),
                      is_missing(client.id), not_exists(from(entry), where(eq(entry.task_id, task.id))))),
            order_by(desc(task.created_at), nulls_first(asc(task.due_at))), limit(20), offset(40)),
        &rows, &count, &err);
    (void)!charle_fetch_one(db, arena,
                            charle_select(total, from(task), group_by(by(task.client_id)), having(gt(count_rows(), 1))),
                            &one, &err);
    (void)!charle_fetch_rows(db, arena, charle_select_rows(task), &tasks, &count, &err);
    (void)!charle_run(
        db,
        charle_update(task, eq(task.id, "x"), set(task.due_at, due), set(task.due_at, since), set_null(task.points)),
        NULL, &err);
    (void)!charle_run(db, charle_delete(task, every_row()), NULL, &err);
    (void)!charle_run(db,
                      on_conflict_do_update(charle_insert(task, new_task), target(by(task.id)),
                                            set(task.title, excluded(task.title))),
                      NULL, &err);
}

struct charle_str title(struct page row)
{
    return row.parent;
}

struct charle_opt_text client_name(struct page row)
{
    return row.client;
}

int64_t total_rows(struct total row)
{
    return row.rows;
}

int64_t total_points(struct total row)
{
    return row.points.has ? row.points.value : 0;
}
