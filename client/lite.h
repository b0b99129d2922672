// Prepared statements over the platform's tables of a replica: a table of texts, one prepared statement each, and short ways to run them.
//
// Application rows go through client/table.h. A struct ch_lite belongs to one connection and so to one thread at a time.
#ifndef CHARLE_CLIENT_LITE_H
#define CHARLE_CLIENT_LITE_H

#include "base/err.h"
#include "base/str.h"
#include "db/sqlite/sqlite.h"

#include <sqlite3.h>

#define CH_STATEMENTS(X)                                                                                               \
    X(META_GET, "select value from charle_meta where key = ?1")                                                        \
    X(META_SET, "insert into charle_meta(key, value) values(?1, ?2) on conflict(key) do update set value = excluded.value") \
    X(META_DELETE, "delete from charle_meta where key = ?1")                                                           \
    X(CURSOR_GET, "select stamp, lineage, state, seen_stamp, seen_lineage from charle_cursor where scope = ?1")        \
    X(CURSOR_ADD, "insert into charle_cursor(scope, state) values(?1, ?2) on conflict(scope) do update "               \
                  "set state = excluded.state where state = 1 and stamp is null") /* held without rows until now */    \
    X(CURSOR_SET, "update charle_cursor set stamp = ?2, lineage = ?3 where scope = ?1")                                \
    X(CURSOR_MARK, "update charle_cursor set state = ?2 where scope = ?1")                                             \
    X(CURSOR_DOUBT, "update charle_cursor set state = ?2 where scope = ?1 and state = 1")                              \
    X(CURSOR_COUNTS, "update charle_cursor set state = 1 where state = 2 and stamp is not null")                       \
    X(CURSOR_NEXT, "update charle_cursor set next_stamp = ?2, next_lineage = ?3 where scope = ?1")                     \
    X(CURSOR_MOVE, "update charle_cursor set stamp = next_stamp, lineage = next_lineage, next_stamp = null, next_lineage = null "  \
                   "where next_stamp is not null")                                                                     \
    X(CURSOR_DELETE, "delete from charle_cursor where scope = ?1")                                                     \
    X(CURSOR_ALL, "select scope, stamp, lineage, state from charle_cursor order by scope")                             \
    X(CURSOR_NEWEST, "select scope, stamp, lineage, seen_stamp, seen_lineage from charle_cursor "                       \
        "where state <> 3 and coalesce(stamp, seen_stamp) is not null order by scope")                                                                                             \
    X(CURSOR_COUNT, "select count(*) from charle_cursor where state = ?1")                                             \
    X(CURSOR_TAKE, "update charle_cursor set stamp = ?2, lineage = ?3, seen_stamp = ?4, seen_lineage = ?5 where scope = ?1")  \
    X(CURSOR_TORN, "update charle_cursor set state = 3 where state = 1 and seen_stamp > 0 and (seen_stamp > stamp or seen_lineage is not lineage)")  \
    X(CURSOR_SEEN, "select count(*) from charle_cursor where seen_stamp > 0")                                          \
    X(CURSOR_DOUBT_ALL, "update charle_cursor set state = 3 where state = 1 and scope not like 'device:%'")            \
    X(CURSOR_WHOLE, "update charle_cursor set seen_stamp = null, seen_lineage = null where state in (1, 3) and seen_stamp is not null")  \
    X(CURSOR_IN_STATE, "select scope from charle_cursor where state = ?1 order by scope")                              \
    X(CURSOR_EVICT, "update charle_cursor set state = 5, stamp = null, lineage = null, next_stamp = null, next_lineage = null, "  \
                    "seen_stamp = null, seen_lineage = null where scope = ?1")                                         \
    X(CURSOR_FETCH, "update charle_cursor set state = 2 where scope = ?1 and state = 5")                               \
    X(CURSOR_INCOMPLETE, "select count(*) from charle_cursor where state not in (1, 5)")                                        \
    X(CURSOR_HELD, "select count(*) from charle_cursor where scope not like 'device:%'")                                                               \
    X(COPY_ADD, "insert into charle_copy(scope, tab, is_done, rows) values(?1, ?2, 0, 0) on conflict do nothing")       \
    X(COPY_MOVE, "update charle_copy set after_key = ?3, is_done = ?4, rows = rows + ?5, rows_total = coalesce(?6, rows_total) " \
                 "where scope = ?1 and tab = ?2")                                                                      \
    X(COPY_OPEN, "select scope, tab, after_key from charle_copy where is_done = 0 order by tab, scope")                \
    X(COPY_SUM, "select coalesce(sum(rows), 0), coalesce(sum(max(coalesce(rows_total, rows), rows)), 0) from charle_copy") \
    X(COPY_SCOPES, "select distinct scope from charle_copy where is_done = 0 order by scope")                            \
    X(COPY_SEEDED, "update charle_copy set is_done = 1 where scope = ?1")                                              \
    X(COPY_FORGET, "delete from charle_copy where scope not in (select scope from charle_cursor)")                      \
    X(COPY_DELETE, "delete from charle_copy where scope = ?1")                                                         \
    X(COPY_CLEAR, "delete from charle_copy")                                                                           \
    X(MEMBER_ADD, "insert into charle_member(tab, key, scope) values(?1, ?2, ?3) on conflict do nothing")              \
    X(MEMBER_DELETE, "delete from charle_member where tab = ?1 and key = ?2 and scope = ?3")                           \
    X(MEMBER_FORGET, "delete from charle_member where tab = ?1 and key = ?2")                                          \
    X(MEMBER_LEAVE, "delete from charle_member where scope = ?1")                                                      \
    X(BASE_ADD, "insert into charle_base(tab, key, image) values(?1, ?2, ?3) on conflict do nothing")                  \
    X(BASE_GET, "select image from charle_base where tab = ?1 and key = ?2")                                           \
    X(BASE_DELETE, "delete from charle_base where tab = ?1 and key = ?2")                                              \
    X(BASE_ALL, "select tab, key, image from charle_base")                                                             \
    X(BASE_CLEAR, "delete from charle_base")                                                                           \
    X(BASE_ANY, "select exists(select 1 from charle_base) or exists(select 1 from charle_touch)")                                                            \
    X(BASE_SET, "insert into charle_base(tab, key, image) values(?1, ?2, ?3) on conflict do update set image = excluded.image")  \
    X(TOUCH_ADD, "insert into charle_touch(tab, key, position, found) values(?1, ?2, ?3, ?4) on conflict do update set found = excluded.found "  \
                 "where found is null")                                                                                \
    X(TOUCH_UNSURE, "update charle_touch set found = null where position = ?1 and found is not null")                   \
    X(TOUCH_OF_CALL, "select tab, key from charle_touch where position = ?1")                                          \
    X(TOUCH_OF_ROW, "select position from charle_touch where tab = ?1 and key = ?2 order by position")                 \
    X(TOUCH_DELETE, "delete from charle_touch where tab = ?1 and key = ?2 and position = ?3")                          \
    X(TOUCH_FIRST_STAYING, "select t.position, case when exists(select 1 from charle_base where tab = ?1 and key = ?2) then t.found end "  \
                           "from charle_touch t left join charle_outbox c on c.position = t.position "  \
                           "where t.tab = ?1 and t.key = ?2 and (c.sequence is null or c.sequence > ?3 or c.kind = 4 or c.state not in (2, 3)) "  \
                           "order by t.position limit 1")                                                              \
    X(TOUCH_FORGET_UNTIL, "delete from charle_touch where tab = ?1 and key = ?2 and position < ?3")                     \
    X(TOUCH_FORGET_ROW, "delete from charle_touch where tab = ?1 and key = ?2")                                        \
    X(TOUCH_CLEAR, "delete from charle_touch")                                                                         \
    X(OUTBOX_ADD, "insert into charle_outbox(ticket, method, request, at, seed, state, attempts, due_at, reads_all, local_error) "  \
                  "values(nullif(?1, 0), ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9)")                                          \
    X(OUTBOX_GET, "select coalesce(ticket, position), method, request, at, seed, state, attempts, sequence, kind, code, text "  \
                  "from charle_outbox where position = ?1")                                                            \
    X(OUTBOX_RAN, "update charle_outbox set reads_all = ?2, local_error = ?3 where position = ?1")                     \
    X(OUTBOX_WIDE, "update charle_outbox set reads_all = 1 where position = ?1")                                       \
    X(OUTBOX_WAITING, "select position from charle_outbox where state in (1, 2, 3) and position > ?1 order by position limit 1")  \
    X(OUTBOX_STATE_OF, "select state from charle_outbox where position = ?1")                                          \
    X(OUTBOX_READS_ALL, "select exists(select 1 from charle_outbox where state < 4 and reads_all = 1 "                  \
                        "and (sequence is null or sequence > ?1))")                                                    \
    X(OUTBOX_CONTAINED, "select position, state, kind from charle_outbox where state < 5 and state in (2, 3) and (sequence <= ?1 "  \
                        "or (sequence is null and state = 3)) order by position")                                      \
    X(OUTBOX_CONTAIN, "update charle_outbox set state = case state when 2 then 4 else 5 end where state < 5 and state in (2, 3) "  \
                      "and state >= ?2 and (sequence <= ?1 or (sequence is null and state = 3))")                       \
    X(OUTBOX_UNSENT, "select position, sequence, method, request, at, seed, state, hash, due_at, origin, origin_after from charle_outbox "  \
                     "where state < 5 and state = 1 order by position")                                \
    X(OUTBOX_UNJUDGED, "select position, sequence, method, request, at, seed, state, hash, due_at, origin, origin_after from charle_outbox "  \
                       "where state in (2, 4) and sequence > ?1 order by sequence")                             \
    X(OUTBOX_BEHIND_HELD, "select exists(select 1 from charle_touch t join charle_touch o on o.tab = t.tab and o.key = t.key "  \
                          "and o.position < t.position join charle_outbox c on c.position = o.position "                \
                          "where t.position = ?1 and c.state = 1 and c.due_at > ?2)")                                  \
    X(OUTBOX_FIRST_BEHIND, "select min(sequence) from charle_outbox where sequence > ?1")                              \
    X(OUTBOX_LAST_KNOWN, "select sequence from charle_outbox where sequence is not null and state >= 3 order by sequence desc limit 1")  \
    X(OUTBOX_LAST, "select max(position) from charle_outbox")                                                          \
    X(OUTBOX_UNSETTLED, "select exists(select 1 from charle_outbox where state < 5 and state in (1, 2, 4) and position <= ?1 "  \
                        "and (due_at <= ?2 or (attempts = 0 and ?3 = 0)))")  \
    X(OUTBOX_NUMBER, "update charle_outbox set sequence = ?2, hash = ?3, state = 2 where position = ?1")               \
    X(OUTBOX_BY_SEQUENCE, "select position, coalesce(ticket, position), state, method, request, at, attempts "  \
                          "from charle_outbox where sequence = ?1")                                                    \
    X(OUTBOX_JUDGE_APPLIED, "update charle_outbox set state = 3, kind = ?3, code = 0, text = null "                     \
                            "where state = 2 and sequence between ?1 and ?2")                                          \
    X(OUTBOX_JUDGE, "update charle_outbox set state = ?2, kind = ?3, code = ?4, text = ?5 where position = ?1")        \
    X(OUTBOX_JUDGED_TO, "select coalesce((select min(sequence) - 1 from charle_outbox where state in (2, 4)), "         \
                        "(select max(sequence) from charle_outbox), 0)")                                               \
    X(OUTBOX_RECALL, "update charle_outbox set state = case when state = 5 and kind = 4 then 5 else 1 end, sequence = null, hash = null, "  \
                     "kind = case when state = 5 and kind = 4 then 4 end, code = case when state = 5 and kind = 4 then code end, "  \
                     "text = case when state = 5 and kind = 4 then text end where sequence > ?1")                     \
    X(OUTBOX_RECALL_UNJUDGED, "update charle_outbox set state = 1, sequence = null, hash = null where state in (2, 4)") \
    X(OUTBOX_DOUBT, "update charle_outbox set origin = ?1, origin_after = coalesce((select max(sequence) from charle_outbox "  \
                    "where sequence is not null and state in (3, 5)), 0) where state < 5 and origin is null")          \
    X(OUTBOX_INHERIT, "update charle_outbox set (origin, origin_after) = (select origin, origin_after from charle_outbox where position = ?1) "  \
                      "where position = ?2")                                                                           \
    X(OUTBOX_UNNUMBER, "update charle_outbox set sequence = null, hash = null where sequence is not null")             \
    X(OUTBOX_UNNUMBER_FROM, "update charle_outbox set sequence = null, hash = null, state = case state when 2 then 1 else state end "  \
                            "where sequence >= ?1")                                                                    \
    X(OUTBOX_HASH, "select hash from charle_outbox where sequence = ?1")                                               \
    X(OUTBOX_TRIM, "delete from charle_outbox where state = 5 and sequence <= ?1")                                       \
    X(OUTBOX_TRIM_UNNUMBERED, "delete from charle_outbox where state = 5 and position <= (select max(position) from charle_outbox) - ?1")  \
    X(OUTBOX_BY_TICKET, "select position, state, kind, code, text, sequence from charle_outbox where ticket = ?1 "      \
                        "or position = ?1 order by position desc limit 1")                                                              \
    X(REPLY_EXPECT, "insert or ignore into charle_reply(ticket) values(?1)")                                           \
    X(REPLY_EXPECTED, "select exists (select 1 from charle_reply where reply is null)")                                \
    X(REPLY_TAKE, "update charle_reply set reply = ?2 where ticket = "                                                 \
                  "(select coalesce(ticket, position) from charle_outbox where sequence = ?1)")                        \
    X(REPLY_FORGET, "delete from charle_reply where ticket = "                                                         \
                    "(select coalesce(ticket, position) from charle_outbox where sequence = ?1)")                      \
    X(REPLY_TRIM, "delete from charle_reply where reply is not null and ticket <= "                                    \
                  "(select ticket from charle_reply where reply is not null order by ticket desc limit 1 offset ?1)")  \
    X(REPLY_RECALL, "update charle_reply set reply = null where ticket in "                                            \
                    "(select coalesce(ticket, position) from charle_outbox where sequence > ?1)")                      \
    X(REPLY_GET, "select reply from charle_reply where ticket = ?1 and reply is not null")                             \
    X(LAYOUT_ADD, "insert into charle_layout(tab, number, name, kind, choices, shows) values(?1, ?2, ?3, ?4, ?5, ?6)")  \
    X(LAYOUT_TABLE, "select tab, name, kind, choices from charle_layout where tab = ?1 and number = 0")                \
    X(LAYOUT_COLUMNS, "select number, name, kind, choices, shows from charle_layout where tab = ?1 and number > 0 order by number")  \
    X(LAYOUT_COLUMN_COUNT, "select count(*) from charle_layout where tab = ?1 and number > 0")                         \
    X(LAYOUT_HAS_COLUMN, "select count(*) from charle_layout where tab = ?1 and number = ?2 and name = ?3 and kind = ?4 and choices = ?5 and shows = ?6")  \
    X(LAYOUT_AUDIENCES, "select count(*) from charle_layout where tab = ?1 and number < 0")                            \
    X(LAYOUT_HAS_RULE, "select exists(select 1 from charle_layout where tab = ?1 and number < 0 and name = ?2 and kind = ?3)")  \
    X(LAYOUT_NEXT, "select coalesce(min(tab), 0) from charle_layout where tab > ?1 and number = 0")                    \
    X(UPGRADE_MEMBER, "delete from charle_member where tab = ?1")                                                      \
    X(UPGRADE_BASE, "delete from charle_base where tab = ?1")                                                          \
    X(UPGRADE_TOUCH, "delete from charle_touch where tab = ?1")                                                        \
    X(UPGRADE_FILL, "delete from charle_fill where tab = ?1")                                                          \
    X(UPGRADE_LAYOUT, "delete from charle_layout where tab = ?1")                                                      \
    X(FILL_ADD, "insert into charle_fill(tab, number, is_new) values(?1, ?2, ?3) "                                     \
                "on conflict(tab, number) do update set is_new = max(is_new, excluded.is_new)")                        \
    X(FILL_NEW, "select number from charle_fill where tab = ?1 and number > 0 and is_new")                             \
    X(FILL_ALL, "select tab, number from charle_fill order by tab, number")                                            \
    X(FILL_TAKES_ROWS, "select count(*) from charle_fill where tab = ?1 and number = 0")                              \
    X(FILL_CLEAR, "delete from charle_fill")                                                                           \
    X(BASE_OF_TABLE, "select key, image from charle_base where tab = ?1")                                              \
    X(OUTBOX_DELETE, "delete from charle_outbox where position = ?1")                                                  \
    X(OUTBOX_COUNT, "select count(*) from charle_outbox where state < 5")                                              \
    X(OUTBOX_UNCONFIRMED, "select count(*) from charle_outbox where state < 5 and state in (1, 2)")                     \
    X(OUTBOX_LIST, "select position, coalesce(ticket, position), state, at, method, request, local_error from charle_outbox "  \
                   "where state < 5 and position > ?1 order by position limit 1")                                      \
    X(DENIED_DROP, "delete from temp.charle_denied where tab = ?1 and key = ?2 and scope = ?3")                           \
    X(GOING_ADD, "insert or ignore into temp.charle_going(tab, key, scope) values(?1, ?2, ?3)")                        \
    X(GOING_HAS, "select exists(select 1 from temp.charle_going where tab = ?1 and key = ?2 and scope = ?3)")          \
    X(INBOX_ADD, "insert into charle_inbox(ticket, kind, code, at, call_at, text, method, request, tab, key, row) "     \
                 "values(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, nullif(?9, 0), ?10, ?11)")                                               \
    X(INBOX_TRIM, "delete from charle_inbox where id <= (select max(id) from charle_inbox) - ?1")                      \
    X(INBOX_LIST, "select id, ticket, kind, code, at, call_at, text, method, request, tab, key, row from charle_inbox "  \
                  "where id > ?1 order by id limit 1")                                                                 \
    X(INBOX_GET, "select ticket, kind, code, at, call_at, text, method, request from charle_inbox where id = ?1")      \
    X(INBOX_DELETE, "delete from charle_inbox where id = ?1")                                                          \
    X(INBOX_CLEAR, "delete from charle_inbox")                                                                         \
    X(INBOX_COUNT, "select count(*) from charle_inbox")                                                                \
    X(OUTBOX_HOLD, "update charle_outbox set due_at = ?2 where position = ?1")                                         \
    X(OUTBOX_RELEASE, "update charle_outbox set due_at = 0 where state < 5 and state = 1 and attempts = 0 and due_at > 0")  \
    X(FILE_ADD, "insert into charle_file(hash, size, media_type, state, have, is_pinned, used_at) values(?1, ?2, ?3, ?4, 0, ?5, ?6)")  \
    X(FILE_GET, "select id, hash, size, media_type, state, have, sent_at, is_pinned, code, text from charle_file where hash = ?1")  \
    X(FILE_LIST, "select id, hash, size, media_type, state, have, sent_at, is_pinned, code, text from charle_file "     \
                 "where id > ?1 and state <> 1 order by id limit 1")                                                    \
    X(FILE_UNSENT, "select id, hash, size, media_type, state, have, sent_at, is_pinned, code, text from charle_file "   \
                   "where state = 2 and sent_at = 0 and code = 0 order by size, id limit 1")                            \
    X(FILE_MISSING, "select id, hash, size, media_type, state, have, sent_at, is_pinned, code, text from charle_file "  \
                    "where state = 3 and code = 0 order by have, id limit 1")                                           \
    X(FILE_ANY_UNSENT, "select exists(select 1 from charle_file where state = 2)")                                      \
    X(FILE_NAME, "update charle_file set hash = ?2, size = ?3, have = ?3, state = 2, used_at = ?4 where id = ?1")       \
    X(FILE_HAVE, "update charle_file set have = ?2, size = ?3, media_type = coalesce(?4, media_type), used_at = ?5, state = ?6 where id = ?1")  \
    X(FILE_SENT, "update charle_file set sent_at = ?2, code = 0, text = null where id = ?1")                            \
    X(FILE_DOUBT, "update charle_file set sent_at = 1 where sent_at > 1")                                               \
    X(FILE_FAIL, "update charle_file set code = ?2, text = ?3 where id = ?1")                                           \
    X(FILE_USE, "update charle_file set used_at = ?2 where id = ?1")                                                    \
    X(FILE_PIN, "update charle_file set is_pinned = ?2 where id = ?1")                                                  \
    X(FILE_DELETE, "delete from charle_file where id = ?1")                                                             \
    X(FILE_SUM, "select coalesce(sum(have), 0) from charle_file")                                                       \
    X(FILE_OLDEST, "select id from charle_file where state = 2 and is_pinned = 0 and sent_at > 0 order by used_at, id limit 1")  \
    X(FILE_STALE, "select id from charle_file where state = 1 and used_at < ?1 limit 1")                                \
    X(FILE_COUNT, "select count(*) from charle_file")                                                                   \
    X(PIECE_ADD, "insert or replace into charle_piece(id, data) values(?1, ?2)")                                        \
    X(PIECE_GET, "select data from charle_piece where id = ?1")                                                         \
    X(PIECE_DELETE, "delete from charle_piece where id >= ?1 and id < ?2")                                              \
    X(DATA_VERSION, "pragma data_version")                                                                             \
    X(PAGE_COUNT, "pragma page_count")

enum ch_statement_id {
#define CH_STATEMENT_ID(name, text) CH_LITE_##name,
    CH_STATEMENTS(CH_STATEMENT_ID)
#undef CH_STATEMENT_ID
    CH_LITE_COUNT
};

struct ch_lite {
    sqlite3 *db;
    sqlite3_stmt *prepared[CH_LITE_COUNT];
};

void ch_lite_close_statements(struct ch_lite *sql); // finalizes all; the connection stays open

// Says what went wrong in a sentence that names the file, and maps SQLite's code to ours.
enum charle_err ch_lite_fail(struct ch_lite *sql, int rc, const char *doing, struct charle_error *err);

// Binds and takes the first step. `types` has one letter for each parameter: i int64_t, s struct charle_str, b struct charle_bytes,
// n no argument: NULL. An empty str or bytes with ptr NULL is bound as NULL. OK: there is a row, read it with sqlite3_column_* and
// then ch_lite_end; DONE: there is none (already ended).
CHARLE_MUST_CHECK enum charle_err ch_lite_one(struct ch_lite *sql, enum ch_statement_id id, sqlite3_stmt **out_row,
                                             struct charle_error *err, const char *types, ...);
CHARLE_MUST_CHECK enum charle_err ch_lite_next(struct ch_lite *sql, sqlite3_stmt *row, struct charle_error *err);
void ch_lite_end(sqlite3_stmt *row);

// Runs a statement to its end.
CHARLE_MUST_CHECK enum charle_err ch_lite_run(struct ch_lite *sql, enum ch_statement_id id, struct charle_error *err,
                                             const char *types, ...);

// The first column of the first row as a number; `otherwise` when there is no row or it is NULL.
CHARLE_MUST_CHECK enum charle_err ch_lite_number(struct ch_lite *sql, enum ch_statement_id id, int64_t otherwise,
                                                int64_t *out, struct charle_error *err, const char *types, ...);

// Runs DDL or a pragma.
CHARLE_MUST_CHECK enum charle_err ch_lite_script(struct ch_lite *sql, const char *text, const char *doing,
                                                struct charle_error *err);

// Prepares a text for many runs; step and reset as ch_lite_one does.
CHARLE_MUST_CHECK enum charle_err ch_lite_prepare(struct ch_lite *sql, const char *text, sqlite3_stmt **out,
                                                 struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_lite_step_done(struct ch_lite *sql, sqlite3_stmt *stmt, struct charle_error *err);

static inline struct charle_str ch_lite_text(sqlite3_stmt *row, int column)
{
    return ch_sqlite_text(row, column);
}
static inline struct charle_bytes ch_lite_bytes(sqlite3_stmt *row, int column)
{
    const void *bytes = sqlite3_column_blob(row, column);
    return charle_bytes(bytes, bytes ? (size_t)sqlite3_column_bytes(row, column) : 0);
}

// Remembered facts, by name.
CHARLE_MUST_CHECK enum charle_err ch_meta_number(struct ch_lite *sql, const char *key, int64_t otherwise, int64_t *out,
                                                 struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_meta_set_number(struct ch_lite *sql, const char *key, int64_t value,
                                                     struct charle_error *err);
CHARLE_MUST_CHECK enum charle_err ch_meta_set_text(struct ch_lite *sql, const char *key, struct charle_str value,
                                                   struct charle_error *err);
// Copies into `out`, cut at size - 1; empty when there is none.
CHARLE_MUST_CHECK enum charle_err ch_meta_text(struct ch_lite *sql, const char *key, char *out, size_t size,
                                               struct charle_error *err);

#endif
