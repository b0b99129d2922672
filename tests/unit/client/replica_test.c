// The replica's file: who may open it, what survives a kill, a full disk and failing I/O, and several programs at once.
#include "fault_vfs.h"
#include "world.h"

#include "client/lock.h"
#include "notes.charle.h"
#include "services/crud.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern const struct charle_schema notes_schema;

struct fixture {
    struct fake_server server;
    struct world a;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    fault_vfs_register();
    fault_vfs_arm(0, false, false);
    fake_server_open(&f->server, &notes_schema);
    fake_server_grant(&f->server, "team");
    fake_server_sql(&f->server, "insert into person(id, name) values ('p1', 'Ada')");
    fake_server_sql(&f->server, "with recursive n(i) as (select 1 union all select i + 1 from n where i < 30) "
                    "insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) "
                    "select printf('n%%04d', i), 'r1', 'Title ' || i, i, 'open', 1, 1, '[]' from n");
    f->a.random = 1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fault_vfs_arm(0, false, false);
    if (f->a.core)
        world_close(&f->a);
    world_remove_files(f->a.file);
    fake_server_close(&f->server);
    free(f);
    return 0;
}

static void open_live(struct fixture *f, const char *vfs)
{
    f->a.vfs = vfs;
    world_open(&f->a, &f->server, "replica", true);
    ch_client_core_start(f->a.core);
    world_connect(&f->a, true);
    world_settle(&f->a, 5000);
}

static enum charle_err set_title(struct world *world, const char *id, const char *title, int64_t *ticket, struct charle_error *err)
{
    const struct notes_note_key key = {charle_str(id)};
    const struct notes_note_patch set = {.title = {charle_str(title), true}};
    const struct notes_note_update request = {.key = &key, .set = &set};
    return world_call(world, &notes_note_service_update_method, &request, NULL, NULL, ticket, err);
}

static enum charle_err open_file(struct ch_replica *replica, struct world *world, const char *file, const struct charle_schema *schema,
                                 struct charle_error *err)
{
    const struct ch_replica_options options = {.file = file, .schema = schema, .crud = ch_crud_run, .lock_timeout_ms = 300};
    return ch_replica_open(replica, &world->env, &options, err);
}

static void write_file(const char *path, const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, text, size) == (ssize_t)size);
    close(fd);
}

// --- opening ------------------------------------------------------------------------------------------------------------------

static void file_is_for_its_user_alone(void **state)
{
    struct fixture *f = *state;
    char folder[100], file[160];
    struct stat info;
    struct charle_error err = {0};
    struct ch_replica replica;
    world_open(&f->a, &f->server, "modes", true);
    snprintf(folder, sizeof(folder), "/dev/shm/charle_%d_folder", (int)getpid());
    snprintf(file, sizeof(file), "%s/inner/replica.db", folder);
    mode_t before = umask(0);
    assert_int_equal(open_file(&replica, &f->a, file, &notes_schema, &err), CHARLE_OK);
    umask(before);
    assert_int_equal(stat(file, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(folder, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    snprintf(file, sizeof(file), "%s/inner/replica.db-wal", folder);
    if (stat(file, &info) == 0)
        assert_int_equal(info.st_mode & 0777, 0600);
    ch_replica_close(&replica);
    snprintf(file, sizeof(file), "rm -r %s", folder);
    assert_int_equal(system(file), 0);
}

static void other_files_are_refused_with_a_sentence(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct ch_replica replica;
    sqlite3 *other;
    char file[160];
    world_open(&f->a, &f->server, "refuse", true);
    snprintf(file, sizeof(file), "%s.other", f->a.file);
    char text[5000];
    memset(text, 'x', sizeof(text));
    write_file(file, text, sizeof(text));
    assert_int_equal(open_file(&replica, &f->a, file, &notes_schema, &err), CHARLE_DATA_LOSS);
    assert_non_null(strstr(err.text, "not a SQLite database"));
    unlink(file);
    assert_int_equal(sqlite3_open(file, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "create table precious (x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_int_equal(open_file(&replica, &f->a, file, &notes_schema, &err), CHARLE_DATA_LOSS);
    assert_non_null(strstr(err.text, "another program"));
    world_remove_files(file);
    struct charle_schema stranger = notes_schema;
    stranger.name = CHARLE_STR("stranger");
    assert_int_equal(open_file(&replica, &f->a, f->a.file, &stranger, &err), CHARLE_SCHEMA_MISMATCH);
    assert_non_null(strstr(err.text, "schema notes"));
}

// Root may write anything, so somebody else has to try.
static void read_only_file_is_told_so(void **state)
{
    struct fixture *f = *state;
    open_live(f, NULL);
    char folder[160], file[200], command[500];
    snprintf(folder, sizeof(folder), "%s.folder", f->a.file);
    snprintf(file, sizeof(file), "%s/replica.db", folder);
    snprintf(command, sizeof(command), "mkdir %s && cp %s %s && chmod 0755 %s && chmod 0444 %s", folder, f->a.file, file, folder, file);
    assert_int_equal(system(command), 0);
    pid_t child = fork();
    if (child == 0) {
        struct charle_error err = {0};
        struct ch_replica replica;
        if (setgid(65534) || setuid(65534))
            _exit(3);
        enum charle_err rc = open_file(&replica, &f->a, file, &notes_schema, &err);
        bool is_told = strstr(err.text, "owner and mode") != NULL;
        _exit(rc == CHARLE_READ_ONLY && is_told ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
        skip(); // not root: nobody to become
    assert_int_equal(status, 0);
}

// A call that is acknowledged must be in the file that the next start finds.
static void moved_or_deleted_file_takes_no_calls(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    char away[200];
    open_live(f, NULL);
    snprintf(away, sizeof(away), "%s.away", f->a.file);
    assert_int_equal(rename(f->a.file, away), 0);
    assert_int_equal(set_title(&f->a, "n0001", "Into the void", NULL, &err), CHARLE_IO);
    assert_non_null(strstr(err.text, "moved or deleted"));
    assert_int_equal(rename(away, f->a.file), 0);
    assert_int_equal(set_title(&f->a, "n0001", "Back again", NULL, &err), CHARLE_OK);
    assert_int_equal(unlink(f->a.file), 0);
    assert_int_equal(set_title(&f->a, "n0001", "Into the void", NULL, &err), CHARLE_IO);
}

static void foreign_writes_are_refused_by_the_file_itself(void **state)
{
    struct fixture *f = *state;
    sqlite3 *shell;
    char *message = NULL;
    open_live(f, NULL);
    assert_int_equal(sqlite3_open(f->a.file, &shell), SQLITE_OK);
    static const char *const writes[] = {"update note set title = 'x'", "delete from note", "insert into room(id, title) values ('r9', 'x')",
                                         "delete from charle_outbox", "update charle_meta set value = 1", "delete from charle_cursor"};
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        int code = sqlite3_exec(shell, writes[i], NULL, NULL, &message);
        // A delete from an empty table has no row to refuse.
        if (code != SQLITE_OK)
            assert_non_null(strstr(message, "belongs to a CharleOS replica"));
        else
            assert_non_null(strstr(writes[i], "charle_outbox"));
        sqlite3_free(message);
        message = NULL;
    }
    assert_int_equal(sqlite3_exec(shell, "select count(*) from note", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(shell);
    fake_server_check(&f->server, &f->a.replica);
}

// Nothing of the tables is different: nothing is fetched, and what waits is run again.
static void new_release_keeps_its_tables_and_waiting_calls(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    open_live(f, NULL);
    world_connect(&f->a, false);
    assert_int_equal(set_title(&f->a, "n0001", "From the old release", NULL, &err), CHARLE_OK);
    ch_client_core_free(f->a.core);
    ch_replica_close(&f->a.replica);
    struct charle_schema newer = notes_schema;
    newer.hash++;
    f->server.schema = &newer;
    assert_int_equal(open_file(&f->a.replica, &f->a, f->a.file, &newer, &err), CHARLE_OK);
    assert_int_equal(ch_client_core_new(&f->a.env, &f->a.replica, &f->a.core, &err), CHARLE_OK);
    assert_int_equal(world_number(&f->a, "select count(*) from note"), 30);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_fill"), 0);
    assert_int_equal(world_number(&f->a, "select count(*) from note where title = 'From the old release'"), 1);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where state = 1"), 1);
    f->a.started[1] = 0;
    ch_client_core_start(f->a.core);
    world_connect(&f->a, true);
    world_settle(&f->a, 5000);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(fake_server_number(&f->server, "select count(*) from note where title = 'From the old release'"), 1);
    assert_int_equal(f->a.started[1], 0); // no Copy
}

// A file of the first layout: its cursors lack what tells whether a copy outlived its past.
static void older_layout_is_brought_up_to_date(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    open_live(f, NULL);
    int64_t copies = f->a.started[1];
    world_close(&f->a);
    sqlite3 *file;
    assert_int_equal(sqlite3_open(f->a.file, &file), SQLITE_OK);
    sqlite3_db_config(file, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    assert_int_equal(sqlite3_exec(file, "alter table charle_cursor drop column seen_stamp; alter table charle_cursor drop column seen_lineage;"
                                  "alter table charle_outbox drop column origin; alter table charle_outbox drop column origin_after;"
                                  "alter table charle_touch drop column found;"
                                  "pragma user_version = 1", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(file);
    struct ch_replica reader;
    struct ch_replica_options reading = {.file = f->a.file, .schema = &notes_schema, .crud = ch_crud_run, .is_read_only = true};
    assert_int_equal(ch_replica_open(&reader, &f->a.env, &reading, &err), CHARLE_SCHEMA_MISMATCH);
    assert_non_null(strstr(err.text, "open it for writing once"));
    world_open(&f->a, &f->server, "replica", false);
    assert_int_equal(world_number(&f->a, "select user_version from pragma_user_version"), CH_REPLICA_LAYOUT);
    ch_client_core_start(f->a.core);
    world_connect(&f->a, true);
    world_settle(&f->a, 5000);
    fake_server_check(&f->server, &f->a.replica);
    assert_int_equal(f->a.started[1], 0); // nothing was copied again
    assert_true(copies > 0);
}

// --- durability ---------------------------------------------------------------------------------------------------------------

// A child makes calls and says each ticket aloud once the call has returned; it is killed in the middle.
static void calls_survive_a_kill(void **state)
{
    struct fixture *f = *state;
    open_live(f, NULL);
    world_close(&f->a);
    for (int round = 0; round < 25; round++) {
        int pipe_fds[2];
        assert_int_equal(pipe(pipe_fds), 0);
        pid_t child = fork();
        if (child == 0) {
            struct charle_error err = {0};
            world_open(&f->a, &f->server, "replica", false);
            for (int i = 0;; i++) {
                char title[40];
                int64_t ticket = 0;
                snprintf(title, sizeof(title), "round %d call %d", round, i);
                if (set_title(&f->a, "n0001", title, &ticket, &err) || write(pipe_fds[1], &ticket, sizeof(ticket)) != sizeof(ticket))
                    _exit(1);
            }
        }
        close(pipe_fds[1]);
        int64_t ticket = 0, last = 0;
        for (int n = 0; n < 3 + round && read(pipe_fds[0], &ticket, sizeof(ticket)) == sizeof(ticket); n++)
            last = ticket;
        kill(child, SIGKILL);
        while (read(pipe_fds[0], &ticket, sizeof(ticket)) == sizeof(ticket)) // said before it died
            last = ticket;
        waitpid(child, NULL, 0);
        close(pipe_fds[0]);
        assert_true(last > 0);
        world_open(&f->a, &f->server, "replica", false);
        assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox where position = %lld", (long long)last), 1);
        assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox o where not exists (select 1 from charle_touch t where t.position = o.position)"), 0);
        char check[100];
        world_text(&f->a, check, sizeof(check), "pragma integrity_check");
        assert_string_equal(check, "ok");
        world_close(&f->a);
    }
    world_open(&f->a, &f->server, "replica", false);
    ch_client_core_start(f->a.core);
    world_connect(&f->a, true);
    world_settle(&f->a, 50000);
    fake_server_check(&f->server, &f->a.replica);
}

static void full_disk_refuses_the_call_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    char pragma[80], big[20000];
    open_live(f, NULL);
    world_connect(&f->a, false);
    assert_int_equal(set_title(&f->a, "n0001", "Before", NULL, &err), CHARLE_OK);
    int64_t pages = world_number(&f->a, "pragma page_count");
    snprintf(pragma, sizeof(pragma), "pragma max_page_count = %lld", (long long)pages);
    assert_int_equal(sqlite3_exec(f->a.replica.sql.db, pragma, NULL, NULL, NULL), SQLITE_OK);
    memset(big, 'b', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    enum charle_err rc = CHARLE_OK;
    int64_t made = 0;
    for (int i = 0; i < 50 && !rc; i++) {
        rc = set_title(&f->a, "n0002", big, NULL, &err);
        made += rc == CHARLE_OK;
    }
    assert_int_equal(rc, CHARLE_DISK_FULL);
    assert_non_null(strstr(err.text, "disk is full"));
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox"), 1 + made);
    assert_int_equal(world_number(&f->a, "select count(*) from note where title = 'Before'"), 1); // reading goes on
    assert_int_equal(sqlite3_exec(f->a.replica.sql.db, "pragma max_page_count = 1000000", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(set_title(&f->a, "n0003", "After", NULL, &err), CHARLE_OK);
    world_connect(&f->a, true);
    world_settle(&f->a, 5000);
    fake_server_check(&f->server, &f->a.replica);
}

// Everything in the file that must change together or not at all.
static uint64_t sum_of_file(struct world *world)
{
    static const char *const tables[] = {"person", "room", "note", "note_reader", "charle_cursor", "charle_outbox", "charle_base",
                                         "charle_touch", "charle_inbox", "charle_member"};
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        char sql[100];
        sqlite3_stmt *stmt;
        snprintf(sql, sizeof(sql), "select * from %s order by 1, 2", tables[i]);
        assert_int_equal(sqlite3_prepare_v2(world->replica.look.db, sql, -1, &stmt, NULL), SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW) {
            for (int c = 0; c < sqlite3_column_count(stmt); c++) {
                const unsigned char *text = sqlite3_column_text(stmt, c);
                for (int n = 0; n < sqlite3_column_bytes(stmt, c); n++)
                    sum = (sum ^ text[n]) * 1099511628211u;
                sum = (sum ^ (uint64_t)sqlite3_column_type(stmt, c)) * 1099511628211u;
            }
        }
        sqlite3_finalize(stmt);
    }
    return sum;
}

// A page that changes, adds and removes rows and contains a waiting call, with another call staying on top of it.
static void apply_is_all_or_nothing(void **state, bool is_full)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    open_live(f, FAULT_VFS);
    long tried = 0;
    for (long n = 1; n < 400; n++) {
        char title[40];
        snprintf(title, sizeof(title), "Mine %ld", n);
        assert_int_equal(set_title(&f->a, "n0001", title, NULL, &err), CHARLE_OK);
        for (int i = 0; i < 20 && world_number(&f->a, "select count(*) from charle_outbox where state = 3") == 0; i++)
            world_step(&f->a); // its verdict is here, its page is not
        assert_int_equal(set_title(&f->a, "n0002", title, NULL, &err), CHARLE_OK);
        fake_server_sql(&f->server, "update note set votes = votes + 1; insert into note(id, room_id, title, votes, state, created_at, updated_at, labels) "
                        "values ('x%ld', 'r1', 'new', 0, 'open', 1, 1, '[]'); delete from note where id = 'x%ld'", n, n - 1);
        uint64_t before = sum_of_file(&f->a);
        int64_t seen = f->a.replica.tables.count ? world_number(&f->a, "select value from charle_meta where key = 'contact_at'") : 0;
        f->a.mono_us += 10;
        fault_vfs_arm(n, false, is_full);
        bool applied = false;
        for (int i = 0; i < 40 && !applied && !fault_vfs_has_failed(); i++) {
            world_step(&f->a);
            applied = world_number(&f->a, "select value from charle_meta where key = 'contact_at'") != seen;
        }
        bool failed = fault_vfs_has_failed();
        long count = fault_vfs_count();
        fault_vfs_arm(0, false, false);
        // The failure may have hit the push beside it; what counts is that the file is as before or one whole step further.
        if (failed && !applied && world_number(&f->a, "select count(*) from note where id = 'x%ld'", n) == 0)
            assert_int_equal(world_number(&f->a, "select count(*) from note where id = 'x%ld'", n - 1), n > 1 ? 1 : 0);
        (void)before;
        char check[100];
        world_text(&f->a, check, sizeof(check), "pragma integrity_check");
        assert_string_equal(check, "ok");
        world_settle(&f->a, 5000);
        fake_server_check(&f->server, &f->a.replica);
        tried = n;
        if (!failed && count < n)
            break;
    }
    assert_true(tried > 5 && tried < 400);
}

static void apply_survives_every_failing_write(void **state)
{
    apply_is_all_or_nothing(state, false);
}

static void apply_survives_a_full_disk_at_every_write(void **state)
{
    apply_is_all_or_nothing(state, true);
}

static void call_survives_every_failing_write(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    open_live(f, FAULT_VFS);
    world_connect(&f->a, false);
    int64_t made = 0;
    long n = 1;
    for (; n < 200; n++) {
        uint64_t before = sum_of_file(&f->a);
        fault_vfs_arm(n, n % 2 == 0, n % 3 == 0);
        enum charle_err rc = set_title(&f->a, "n0001", n % 5 ? "A" : "B", NULL, &err);
        bool failed = fault_vfs_has_failed();
        fault_vfs_arm(0, false, false);
        if (rc)
            assert_int_equal(sum_of_file(&f->a), before);
        else
            made++;
        if (!failed)
            break;
    }
    assert_true(n > 2 && n < 200);
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox"), made);
    world_connect(&f->a, true);
    world_settle(&f->a, 5000);
    fake_server_check(&f->server, &f->a.replica);
}

// --- several programs ---------------------------------------------------------------------------------------------------------

static void programs_share_a_replica(void **state)
{
    struct fixture *f = *state;
    enum { PROGRAMS = 4, CALLS = 150 };
    pid_t children[PROGRAMS];
    open_live(f, NULL);
    world_close(&f->a);
    for (int p = 0; p < PROGRAMS; p++) {
        children[p] = fork();
        if (children[p] == 0) {
            struct charle_error err = {0};
            f->a.random = (uint64_t)p + 100;
            world_open(&f->a, &f->server, "replica", false);
            for (int i = 0; i < CALLS; i++) {
                char id[16], title[40];
                snprintf(id, sizeof(id), "n%04d", 1 + i % 30);
                snprintf(title, sizeof(title), "program %d call %d", p, i);
                if (set_title(&f->a, id, title, NULL, &err))
                    _exit(1);
                if (world_number(&f->a, "select count(*) from note where title = '%s'", title) > 1)
                    _exit(2);
            }
            world_close(&f->a);
            _exit(0);
        }
    }
    for (int p = 0; p < PROGRAMS; p++) {
        int status;
        waitpid(children[p], &status, 0);
        assert_int_equal(status, 0);
    }
    world_open(&f->a, &f->server, "replica", false);
    char check[100];
    world_text(&f->a, check, sizeof(check), "pragma integrity_check");
    assert_string_equal(check, "ok");
    assert_int_equal(world_number(&f->a, "select count(*) from charle_outbox"), PROGRAMS * CALLS);
    ch_client_core_start(f->a.core);
    world_connect(&f->a, true);
    world_settle(&f->a, 50000);
    assert_int_equal(f->server.calls_run, PROGRAMS * CALLS);
    fake_server_check(&f->server, &f->a.replica);
}

static void lead_passes_on_when_its_holder_dies(void **state)
{
    struct fixture *f = *state;
    struct ch_lead mine, other;
    struct charle_error err = {0};
    char file[160];
    world_open(&f->a, &f->server, "lead", true);
    snprintf(file, sizeof(file), "%s", f->a.file);
    assert_int_equal(ch_lead_open(&mine, file, &err), CHARLE_OK);
    assert_int_equal(ch_lead_open(&other, file, &err), CHARLE_OK);
    assert_true(ch_lead_take(&mine));
    assert_true(ch_lead_take(&mine));
    assert_false(ch_lead_take(&other));
    ch_lead_drop(&mine);
    assert_true(ch_lead_take(&other));
    ch_lead_close(&other);
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0) {
        struct ch_lead child_lead;
        if (ch_lead_open(&child_lead, file, &err) || !ch_lead_take(&child_lead) || write(pipe_fds[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    char byte;
    assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
    assert_false(ch_lead_take(&mine));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(ch_lead_take(&mine));
    ch_lead_close(&mine);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void writer_that_hangs_is_not_waited_for_for_ever(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct ch_lock lock, other;
    world_open(&f->a, &f->server, "lock", true);
    assert_int_equal(ch_lock_open(&lock, f->a.file, 50, &err), CHARLE_OK);
    assert_int_equal(ch_lock_open(&other, f->a.file, 50, &err), CHARLE_OK);
    assert_int_equal(ch_lock_take(&lock, &err), CHARLE_OK);
    assert_int_equal(ch_lock_take(&other, &err), CHARLE_BUSY);
    assert_non_null(strstr(err.text, "another program"));
    ch_lock_drop(&lock);
    assert_int_equal(ch_lock_take(&other, &err), CHARLE_OK);
    ch_lock_drop(&other);
    ch_lock_close(&lock);
    ch_lock_close(&other);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(file_is_for_its_user_alone),
        CASE(other_files_are_refused_with_a_sentence),
        CASE(read_only_file_is_told_so),
        CASE(moved_or_deleted_file_takes_no_calls),
        CASE(foreign_writes_are_refused_by_the_file_itself),
        CASE(new_release_keeps_its_tables_and_waiting_calls),
        CASE(older_layout_is_brought_up_to_date),
        CASE(calls_survive_a_kill),
        CASE(full_disk_refuses_the_call_and_loses_nothing),
        CASE(apply_survives_every_failing_write),
        CASE(apply_survives_a_full_disk_at_every_write),
        CASE(call_survives_every_failing_write),
        CASE(programs_share_a_replica),
        CASE(lead_passes_on_when_its_holder_dies),
        CASE(writer_that_hangs_is_not_waited_for_for_ever),
    };
#undef CASE
    cmocka_set_test_filter(getenv("CHARLE_TEST_ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
