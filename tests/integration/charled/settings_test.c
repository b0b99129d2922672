// Settings from flags, environment and file; and the small parts that need no database: checksums, tokens, passwords,
// counters, lanes.
#include "server/config.h"
#include "server/lane.h"
#include "server/password.h"
#include "server/pghome.h"
#include "server/sqltext.h"
#include "server/throttle.h"
#include "server/token.h"
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// --- settings ------------------------------------------------------------------------------------------------------

struct setting_case {
    const char *argv[32];
    const char *environment[6];
};

static enum charle_err read_settings(const struct setting_case *c, struct ch_config *config, struct charle_error *err)
{
    int argc = 0;
    while (c->argv[argc])
        argc++;
    return ch_config_init(config, argc, (char *const *)(uintptr_t)c->argv, (char *const *)(uintptr_t)c->environment,
                          err);
}

static void refuse(const struct setting_case *c, const char *words)
{
    struct ch_config config;
    struct charle_error err = {0};
    assert_int_equal(read_settings(c, &config, &err), CHARLE_INVALID_ARGUMENT);
    assert_contains(err.text, words);
    ch_config_deinit(&config);
}

static void flags_beat_the_environment(void **state)
{
    (void)state;
    struct setting_case c = {
        {"charled", "--pool-size", "3", "--data-dir=/tmp/none/x", NULL},
        {"CHARLE_POOL_SIZE=9", "CHARLE_LOG_LEVEL=debug", "CHARLE_LISTEN=tcp://127.0.0.1:1,ipc:///tmp/a.sock", NULL}};
    struct ch_config config;
    struct charle_error err = {0};
    assert_ok(read_settings(&c, &config, &err), &err);
    assert_int_equal(config.pool_size, 3);
    assert_int_equal(config.log_level, CH_LOG_DEBUG);
    assert_int_equal(config.listen_count, 2);
    assert_string_equal(config.listen[1], "ipc:///tmp/a.sock");
    assert_true(config.may_migrate); // a private cluster
    ch_config_deinit(&config);
}

static void defaults_are_for_one_machine(void **state)
{
    (void)state;
    struct setting_case c = {{"charled", NULL}, {"HOME=/home/nobody-here", NULL}};
    struct ch_config config;
    struct charle_error err = {0};
    assert_ok(read_settings(&c, &config, &err), &err);
    assert_string_equal(config.listen[0], "tcp://127.0.0.1:4317");
    assert_string_not_equal(config.data_dir, CH_PGHOME_FALLBACK); // a folder with clusters of others in it is refused as a data folder
    assert_string_equal(config.data_dir, geteuid() == 0 ? "/var/lib/charle" : "/home/nobody-here/.local/share/charle");
    ch_config_deinit(&config);
}

static void a_database_of_others_is_not_migrated(void **state)
{
    (void)state;
    struct setting_case c = {{"charled", "--data-dir", "/tmp/none/x", NULL},
                             {"DATABASE_URL=postgresql://u:p@h/d", NULL}};
    struct ch_config config;
    struct charle_error err = {0};
    assert_ok(read_settings(&c, &config, &err), &err);
    assert_false(config.may_migrate);
    ch_config_deinit(&config);
    c.argv[3] = "--development";
    assert_ok(read_settings(&c, &config, &err), &err);
    assert_true(config.may_migrate);
    ch_config_deinit(&config);
}

static void mistakes_are_explained(void **state)
{
    (void)state;
    refuse(&(struct setting_case){{"charled", "--datadir", "x", NULL}, {NULL}}, "did you mean --data-dir");
    refuse(&(struct setting_case){{"charled", "--zzzzzzzzzzzz", NULL}, {NULL}}, "see --help");
    refuse(&(struct setting_case){{"charled", "serve", NULL}, {NULL}}, "unexpected argument");
    refuse(&(struct setting_case){{"charled", "--listen", NULL}, {NULL}}, "needs a value");
    refuse(&(struct setting_case){{"charled", "--listen", "http://x", NULL}, {NULL}}, "tcp://HOST:PORT");
    refuse(&(struct setting_case){{"charled", "--pool-size=0", NULL}, {NULL}}, "1 to 200");
    refuse(&(struct setting_case){{"charled", "--log-format=xml", NULL}, {NULL}}, "text or json");
    refuse(&(struct setting_case){{"charled", NULL}, {"HOME=/x", "CHARLE_MIGRATE=maybe", NULL}}, "CHARLE_MIGRATE");
    refuse(&(struct setting_case){{"charled", "--config", "/nowhere/at/all", NULL}, {"HOME=/x", NULL}},
           "cannot be opened");
}

static void hints_need_an_address_and_a_secret(void **state)
{
    (void)state;
    refuse(&(struct setting_case){{"charled", "--peer=tcp://h:1", NULL}, {"HOME=/x", NULL}}, "openssl rand -hex 32");
    refuse(&(struct setting_case){{"charled", "--hints-listen=http://h:1", NULL}, {"HOME=/x", NULL}}, "tcp://HOST:PORT");
    refuse(&(struct setting_case){{"charled", "--hints-listen=tcp://nowhere", NULL}, {"HOME=/x", NULL}}, "hints-listen cannot be");
    refuse(&(struct setting_case){{"charled", "--peer=tcp://h:1", "--hints-secret=/nowhere/at/all", NULL}, {"HOME=/x", NULL}},
           "the hints' secret /nowhere/at/all cannot be read");
    refuse(&(struct setting_case){{"charled", "--hints-listen=tls+tcp://h:1", "--hints-secret=/dev/null", NULL}, {"HOME=/x", NULL}}, "--tls-cert");
    struct setting_case c = {{"charled", "--hints-secret=/dev/null", NULL}, {"HOME=/x", "CHARLE_PEERS=tcp://a:1,ipc:///b", NULL}};
    struct ch_config config;
    struct charle_error err = {0};
    assert_ok(read_settings(&c, &config, &err), &err);
    assert_int_equal(config.peer_count, 2);
    assert_string_equal(config.peers[1], "ipc:///b");
    ch_config_deinit(&config);
}

static void standbys_are_urls_and_no_flag(void **state)
{
    (void)state;
    refuse(&(struct setting_case){{"charled", "--read-from=postgresql://u:secret@h/d", NULL}, {NULL}}, "command line");
    refuse(&(struct setting_case){{"charled", NULL}, {"HOME=/x", "CHARLE_READ_FROM=host=a dbname=b", NULL}}, "takes URLs");
    refuse(&(struct setting_case){{"charled", "--read-lag=0", NULL}, {"HOME=/x", NULL}}, "1 to 20000");
    refuse(&(struct setting_case){{"charled", NULL}, {"HOME=/x", "CHARLE_READ_FROM=postgres://a postgres://b postgres://c postgres://d postgres://e", NULL}},
           "at most 4");
    struct setting_case c = {{"charled", "--read-lag=250", NULL}, {"HOME=/x", "CHARLE_READ_FROM=postgresql://a/d  postgres://b/d ", NULL}};
    struct ch_config config;
    struct charle_error err = {0};
    assert_ok(read_settings(&c, &config, &err), &err);
    assert_int_equal(config.read_from_count, 2);
    assert_string_equal(config.read_from[1], "postgres://b/d");
    assert_int_equal(config.read_lag_ms, 250);
    ch_config_deinit(&config);
}

static void every_setting_is_kept(void **state)
{
    (void)state;
    struct setting_case c = {{"charled", "--data-dir=/tmp/none/x", "--file-max=7", "--files-max=8", "--keep-files=9", "--keep-log=10", "--upkeep-every=11",
                              "--seed-files=off", "--seed-rows=12", "--seed-size=13", "--seed-every=14", "--operators=bosses", "--postgres-bin=/opt/pg",
                              "--log-file=/tmp/none/log", "--log-format=text", "--log-level=warn", "--tls-cert=/dev/null", "--tls-key=/dev/null",
                              "--allow-plaintext=yes", "--migrate=no", "--database-only", "--development=0", NULL},
                             {NULL}};
    struct ch_config config;
    struct charle_error err = {0};
    assert_ok(read_settings(&c, &config, &err), &err);
    assert_int_equal(config.file_max_mib, 7);
    assert_int_equal(config.files_max_mib, 8);
    assert_int_equal(config.keep_files_days, 9);
    assert_int_equal(config.keep_log_days, 10);
    assert_int_equal(config.upkeep_every_s, 11);
    assert_false(config.makes_seeds);
    assert_int_equal(config.seed_rows, 12);
    assert_int_equal(config.seed_size_mib, 13);
    assert_int_equal(config.seed_every_s, 14);
    assert_string_equal(config.operators_scope, "bosses");
    assert_string_equal(config.postgres_bin, "/opt/pg");
    assert_string_equal(config.log_file, "/tmp/none/log");
    assert_int_equal(config.log_format, CH_LOG_TEXT);
    assert_int_equal(config.log_level, CH_LOG_WARN);
    assert_string_equal(config.tls_cert_file, "/dev/null");
    assert_string_equal(config.tls_key_file, "/dev/null");
    assert_true(config.allow_plaintext && config.database_only && config.may_migrate); // a private cluster always migrates
    ch_config_deinit(&config);
    static const struct {
        const char *flag;
        enum ch_config_action action;
    } actions[] = {{"--check", CH_CONFIG_CHECK}, {"--help", CH_CONFIG_HELP}, {"--version", CH_CONFIG_VERSION}, {"--print-schema", CH_CONFIG_SCHEMA}};
    for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
        c = (struct setting_case){{"charled", "--data-dir=/tmp/none/x", actions[i].flag, NULL}, {NULL}};
        assert_ok(read_settings(&c, &config, &err), &err);
        assert_int_equal(config.action, actions[i].action);
        ch_config_deinit(&config);
    }
}

static void numbers_and_lists_have_bounds(void **state)
{
    (void)state;
    static const char *const wrong[] = {"--file-max=0", "--files-max=x", "--keep-files=week", "--keep-log=4000", "--upkeep-every=-1", "--seed-rows=1.5",
                                        "--seed-size=99999999999999999999", "--seed-every=40000000"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        char words[60];
        snprintf(words, sizeof(words), "%.*s is a number from", (int)strcspn(wrong[i] + 2, "="), wrong[i] + 2);
        refuse(&(struct setting_case){{"charled", wrong[i], NULL}, {"HOME=/x", NULL}}, words);
    }
    refuse(&(struct setting_case){{"charled", "--seed-files=perhaps", NULL}, {"HOME=/x", NULL}}, "takes true or false");
    refuse(&(struct setting_case){{"charled", "--log-level=loud", NULL}, {"HOME=/x", NULL}}, "error, warn, info or debug");
    refuse(&(struct setting_case){{"charled", NULL}, {"HOME=/x", "CHARLE_LISTEN=ipc://1,ipc://2,ipc://3,ipc://4,ipc://5,ipc://6,ipc://7,ipc://8,ipc://9", NULL}},
           "at most 8 addresses");
    refuse(&(struct setting_case){{"charled", NULL},
                                  {"HOME=/x", "CHARLE_PEERS=ipc://1,ipc://2,ipc://3,ipc://4,ipc://5,ipc://6,ipc://7,ipc://8,ipc://9,ipc://a,ipc://b,ipc://c,"
                                              "ipc://d,ipc://e,ipc://f,ipc://g", NULL}},
           "at most 15 peers");
    refuse(&(struct setting_case){{"charled", "--database-only", NULL}, {"HOME=/x", "DATABASE_URL=postgresql://u:p@h/d", NULL}}, "leave one of them out");
}

static void data_of_one_person(const struct setting_case *c, const char *wanted)
{
    struct ch_config config;
    struct charle_error err = {0};
    assert_ok(read_settings(c, &config, &err), &err);
    assert_string_equal(config.data_dir, wanted);
    ch_config_deinit(&config);
}

static void data_is_kept_in_the_home_of_who_is_not_root(void **state)
{
    (void)state;
    bool is_root = geteuid() == 0;
    assert_true(!is_root || seteuid(65534) == 0);
    data_of_one_person(&(struct setting_case){{"charled", NULL}, {"HOME=/home/nobody-here", NULL}}, "/home/nobody-here/.local/share/charle");
    data_of_one_person(&(struct setting_case){{"charled", NULL}, {"HOME=/home/nobody-here", "XDG_DATA_HOME=/data", NULL}}, "/data/charle");
    refuse(&(struct setting_case){{"charled", NULL}, {NULL}}, "there is no HOME");
    assert_true(!is_root || seteuid(0) == 0);
}

static void relative_folders_are_of_the_present_one(void **state)
{
    (void)state;
    char before[4096], folder[] = "/tmp/charle-settings-XXXXXX", wanted[80];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    snprintf(wanted, sizeof(wanted), "%s/data", folder);
    data_of_one_person(&(struct setting_case){{"charled", "--data-dir", "././data", NULL}, {NULL}}, wanted);
    rmdir(folder);
    refuse(&(struct setting_case){{"charled", "--data-dir", "data", NULL}, {NULL}}, "the present folder is unknown");
    assert_int_equal(chdir(before), 0);
}

static void the_password_is_never_a_flag(void **state)
{
    (void)state;
    refuse(&(struct setting_case){{"charled", "--database-url=postgresql://u:secret@h/d", NULL}, {NULL}},
           "command line");
}

static void certificates_must_be_readable(void **state)
{
    (void)state;
    refuse(&(struct setting_case){{"charled", "--tls-cert=/nowhere/cert.pem", "--tls-key=/nowhere/key.pem", NULL},
                                  {"HOME=/x", NULL}},
           "the certificate /nowhere/cert.pem cannot be read");
}

static void clear_text_stays_on_the_machine(void **state)
{
    (void)state;
    refuse(&(struct setting_case){{"charled", "--listen", "tcp://0.0.0.0:4317", NULL}, {"HOME=/x", NULL}},
           "clear text");
    refuse(&(struct setting_case){{"charled", "--listen", "tls+tcp://0.0.0.0:4317", NULL}, {"HOME=/x", NULL}},
           "--tls-cert");
    assert_true(ch_config_is_exposed("tcp://10.0.0.1:1"));
    assert_true(ch_config_is_exposed("tcp://[::]:1"));
    assert_false(ch_config_is_exposed("tcp://[::1]:1"));
    assert_false(ch_config_is_exposed("tcp://localhost:1"));
    assert_false(ch_config_is_exposed("tls+tcp://0.0.0.0:1"));
    assert_false(ch_config_is_exposed("ipc:///tmp/x"));
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void the_file_is_read_last(void **state)
{
    (void)state;
    char folder[] = "/tmp/charle-settings-XXXXXX", path[80];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/charled.conf", folder);
    struct setting_case c = {{"charled", "--data-dir", folder, "--pool-size=5", NULL}, {NULL}};
    struct ch_config config;
    struct charle_error err = {0};

    write_file(path, "# a comment\n\n  pool-size = 7\nlog-format=json\r\ndatabase-url = postgresql://u:p@h/d\n", 0600);
    assert_ok(read_settings(&c, &config, &err), &err);
    assert_int_equal(config.pool_size, 5);
    assert_int_equal(config.log_format, CH_LOG_JSON);
    assert_string_equal(config.database_url, "postgresql://u:p@h/d");
    ch_config_deinit(&config);

    write_file(path, "database-url = postgresql://u:p@h/d\n", 0644);
    refuse(&c, "chmod 600");
    write_file(path, "\nlog-lvl = info\n", 0600);
    refuse(&c, "line 2: unknown setting \"log-lvl\": did you mean log-level?");
    write_file(path, "nonsense\n", 0600);
    refuse(&c, "expected `name = value`");
    assert_int_equal(truncate(path, 1 << 20), 0);
    struct setting_case large = c;
    assert_int_equal(read_settings(&large, &config, &err), CHARLE_TOO_LARGE);
    assert_contains(err.text, "is this the right file?");
    ch_config_deinit(&config);
    unlink(path);
    rmdir(folder);
}

// --- checksums -----------------------------------------------------------------------------------------------------

static bool same_checksum(const char *a, const char *b)
{
    char one[CH_SQL_CHECKSUM_SIZE], two[CH_SQL_CHECKSUM_SIZE];
    ch_sql_checksum(charle_str(a), one);
    ch_sql_checksum(charle_str(b), two);
    return strcmp(one, two) == 0;
}

static void comments_and_layout_do_not_count(void **state)
{
    (void)state;
    assert_true(same_checksum("select 1", "  select\n\t1 "));
    assert_true(same_checksum("select 1", "-- why\nselect /* a /* nested */ one */ 1"));
    assert_false(same_checksum("select 1", "select 2"));
    assert_false(same_checksum("select a b", "select ab"));
    assert_false(same_checksum("select 'a  b'", "select 'a b'"));
    assert_false(same_checksum("select '-- x'", "select ''"));
    assert_false(same_checksum("do $x$ a  b $x$", "do $x$ a b $x$"));
    assert_true(same_checksum("do $x$ a  b $x$ -- c", "do $x$ a  b $x$"));
    assert_false(same_checksum("select \"a  b\"", "select \"a b\""));
    assert_true(same_checksum("", " \n-- nothing"));
}

static void the_schema_hash_is_in_the_head(void **state)
{
    (void)state;
    uint64_t hash = 0;
    assert_true(ch_sql_schema_hash(charle_str("-- schema shop 00000000deadbeef\ncreate"), &hash));
    assert_int_equal(hash, 0xdeadbeef);
    assert_true(ch_sql_schema_hash(charle_str("-- x\n-- schema shop 00000000deadbeef"), &hash));
    assert_false(ch_sql_schema_hash(charle_str("-- schema shop deadbeef"), &hash));
    assert_false(ch_sql_schema_hash(charle_str("create -- schema shop 00000000deadbeef"), &hash));
    assert_false(ch_sql_schema_hash(charle_str(""), &hash));
}

// --- tokens, passwords, counters -----------------------------------------------------------------------------------

static void tokens_are_well_formed_and_differ(void **state)
{
    (void)state;
    char a[CH_TOKEN_SIZE], b[CH_TOKEN_SIZE], hash[CH_TOKEN_HASH_SIZE], other[CH_TOKEN_HASH_SIZE];
    ch_token_new(a);
    ch_token_new(b);
    assert_string_not_equal(a, b);
    assert_true(ch_token_is_well_formed(charle_str(a)));
    ch_token_hash(charle_str(a), hash);
    ch_token_hash(charle_str(b), other);
    assert_string_not_equal(hash, other);
    assert_null(strstr(hash, a + 3));
    a[10] = ' ';
    assert_false(ch_token_is_well_formed(charle_str(a)));
    assert_false(ch_token_is_well_formed(charle_str("ct_")));
    assert_false(ch_token_is_well_formed((struct charle_str){0}));
    assert_true(charle_str_equal(ch_token_of_header(charle_str("bearer abc")), charle_str("abc")));
    assert_null(ch_token_of_header(charle_str("Basic abc")).ptr);
    assert_null(ch_token_of_header(charle_str("Bearer ")).ptr);
}

static void passwords_are_checked(void **state)
{
    (void)state;
    char hash[CH_PASSWORD_HASH_SIZE];
    struct charle_error err = {0};
    assert_ok(ch_password_hash(charle_str("correct horse"), hash, &err), &err);
    assert_memory_equal(hash, "$argon2id$", 10);
    assert_true(ch_password_is_right(charle_str("correct horse"), hash));
    assert_false(ch_password_is_right(charle_str("correct hors"), hash));
    assert_false(ch_password_is_right(charle_str(""), hash));
    assert_false(ch_password_is_right(charle_str("correct horse"), "not a hash"));
    assert_false(ch_password_is_right(charle_str("correct horse"), NULL));
    assert_false(ch_password_is_outdated(hash));
}

static void five_failures_close_a_name(void **state)
{
    (void)state;
    struct ch_throttle *throttle = NULL;
    struct charle_error err = {0};
    struct charle_str ann = charle_str("ann"), bob = charle_str("bob");
    assert_ok(ch_throttle_new(5, 1000, &throttle, &err), &err);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ch_throttle_wait_us(throttle, ann, 100 + i), 0);
        ch_throttle_fail(throttle, ann, 100 + i);
    }
    assert_int_equal(ch_throttle_wait_us(throttle, ann, 200), 900); // the window began with the first failure
    assert_int_equal(ch_throttle_wait_us(throttle, bob, 200), 0);
    assert_int_equal(ch_throttle_wait_us(throttle, ann, 1100), 0);
    ch_throttle_fail(throttle, ann, 1200); // a new window, with one failure
    assert_int_equal(ch_throttle_wait_us(throttle, ann, 1201), 0);
    for (int i = 0; i < 5; i++)
        ch_throttle_fail(throttle, bob, 300);
    ch_throttle_forgive(throttle, bob);
    assert_int_equal(ch_throttle_wait_us(throttle, bob, 301), 0);
    ch_throttle_free(throttle);
}

static void a_flood_of_names_stays_small(void **state)
{
    (void)state;
    struct ch_throttle *throttle = NULL;
    struct charle_error err = {0};
    char name[32];
    assert_ok(ch_throttle_new(1, 1000000, &throttle, &err), &err);
    for (int i = 0; i < 100000; i++) {
        int len = snprintf(name, sizeof(name), "name %d", i);
        ch_throttle_fail(throttle, charle_str_n(name, (size_t)len), i);
    }
    assert_true(ch_throttle_wait_us(throttle, charle_str("name 99999"), 100000) > 0); // the newest is still known
    ch_throttle_free(throttle);
}

// --- lanes ---------------------------------------------------------------------------------------------------------

struct lane_probe {
    pthread_mutex_t gate; // held: items wait inside run
    atomic_int inside, done, batch_max;
    atomic_int opened, closed;
};

static void probe_run(void *ctx, void *worker, void *const *items, size_t count)
{
    struct lane_probe *probe = ctx;
    assert_ptr_equal(worker, probe);
    atomic_fetch_add(&probe->inside, 1);
    pthread_mutex_lock(&probe->gate);
    pthread_mutex_unlock(&probe->gate);
    for (size_t i = 0; i < count; i++)
        atomic_fetch_add(&probe->done, (int)(intptr_t)items[i]);
    if ((int)count > atomic_load(&probe->batch_max))
        atomic_store(&probe->batch_max, (int)count);
}

static void *probe_open(void *ctx, uint32_t index)
{
    (void)index;
    atomic_fetch_add(&((struct lane_probe *)ctx)->opened, 1);
    return ctx;
}

static void probe_close(void *ctx, void *worker)
{
    (void)worker;
    atomic_fetch_add(&((struct lane_probe *)ctx)->closed, 1);
}

static void a_lane_refuses_what_does_not_fit_and_finishes_the_rest(void **state)
{
    (void)state;
    struct lane_probe probe = {.gate = PTHREAD_MUTEX_INITIALIZER};
    struct ch_lane_options options = {.name = "probe",
                                      .thread_count = 1,
                                      .queue_max = 4,
                                      .batch_max = 3,
                                      .run = probe_run,
                                      .open_worker = probe_open,
                                      .close_worker = probe_close,
                                      .ctx = &probe};
    struct ch_lane *lane = NULL;
    struct charle_error err = {0};
    pthread_mutex_lock(&probe.gate);
    assert_ok(ch_lane_start(&options, &lane, &err), &err);
    assert_true(ch_lane_push(lane, (void *)1));
    while (!atomic_load(&probe.inside))
        sched_yield();
    for (int i = 0; i < 4; i++)
        assert_true(ch_lane_push(lane, (void *)1));
    assert_false(ch_lane_push(lane, (void *)1));
    assert_int_equal(ch_lane_waiting(lane), 4);
    assert_int_equal(ch_lane_busy(lane), 1);
    pthread_mutex_unlock(&probe.gate);
    ch_lane_stop(lane); // what was taken is run
    assert_int_equal(atomic_load(&probe.done), 5);
    assert_int_equal(atomic_load(&probe.batch_max), 3);
    assert_int_equal(atomic_load(&probe.opened), 1);
    assert_int_equal(atomic_load(&probe.closed), 1);
    ch_lane_stop(NULL);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_beat_the_environment),
        cmocka_unit_test(defaults_are_for_one_machine),
        cmocka_unit_test(a_database_of_others_is_not_migrated),
        cmocka_unit_test(mistakes_are_explained),
        cmocka_unit_test(hints_need_an_address_and_a_secret),
        cmocka_unit_test(standbys_are_urls_and_no_flag),
        cmocka_unit_test(every_setting_is_kept),
        cmocka_unit_test(numbers_and_lists_have_bounds),
        cmocka_unit_test(data_is_kept_in_the_home_of_who_is_not_root),
        cmocka_unit_test(relative_folders_are_of_the_present_one),
        cmocka_unit_test(the_password_is_never_a_flag),
        cmocka_unit_test(certificates_must_be_readable),
        cmocka_unit_test(clear_text_stays_on_the_machine),
        cmocka_unit_test(the_file_is_read_last),
        cmocka_unit_test(comments_and_layout_do_not_count),
        cmocka_unit_test(the_schema_hash_is_in_the_head),
        cmocka_unit_test(tokens_are_well_formed_and_differ),
        cmocka_unit_test(passwords_are_checked),
        cmocka_unit_test(five_failures_close_a_name),
        cmocka_unit_test(a_flood_of_names_stays_small),
        cmocka_unit_test(a_lane_refuses_what_does_not_fit_and_finishes_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
