// What the files of the oracle share.
//
//   oracle.c   is a replica at a moment?        oracle_tables.c   the schema, once more by hand
//   history.c  all moments the server had       judged.c   what the server said about calls
//   view.c     what a laptop's file shows             promised.c   whether that was true
#ifndef CHARLE_TESTS_SIM_ORACLE_H
#define CHARLE_TESTS_SIM_ORACLE_H

#include "sim/versions.h"
#include "sim/world.h"

enum {
    COLUMNS_MAX = 16,
    SCOPES_MAX = 24,
    SCOPE_SIZE = 80,
    TALLIES_MAX = 8,
    DEVICES_MAX = 64,
    INTERN_SIZE = 1 << 16,
    ORACLE_TABLES = 9
};
#define ORACLE_NO_VALUE "~" // a column that is not shown, or has no value

// --- oracle_tables.c -------------------------------------------------------------------------------------------------

struct row;
#define ORACLE_ABSENT "-"
struct column_spec { // their numbers are their places, from 1 on
    const char *name; // ORACLE_ABSENT: only the later schema has it
    char kind;        // t text, i number, b bool, m moment, a array, e enum
    const char *later;          // its name in the later schema; NULL: the same; ORACLE_ABSENT: that has it no more
    const char *zero[VERSIONS]; // what a replica of a version that insists on a value shows where there is none; NULL: it does not
};
struct view_spec {
    const char *audience;
    const char *columns; // names between blanks, of the first schema where it has them; NULL: all
    bool is_later;       // only the later schema has it
};
struct table_spec {
    uint32_t id;
    const char *name;
    const char *key;    // the same in both databases
    const char *scopes; // PostgreSQL: expressions, NULL for none
    struct column_spec columns[COLUMNS_MAX + 1];
    struct view_spec views[5];
    int first, last; // versions that have it
};
extern const struct table_spec oracle_tables[ORACLE_TABLES]; // by id

const struct table_spec *oracle_table(uint32_t id);
bool oracle_has_table(const struct table_spec *table, int version);
bool oracle_has_scope(const char *scope, int version); // rows of a scope
// Columns that a scope shows of a table in a version of the schema, as bits; 0: none.
uint32_t oracle_shown_by(const struct table_spec *table, const char *scope, int version);
// All columns of all versions as one text, each behind a unit separator. Those of `masked` are ORACLE_NOT_YET.
#define ORACLE_NOT_YET "?"
void oracle_add_columns(struct charle_buf *sql, const struct table_spec *table, bool is_pg, int version, uint32_t masked);
// The columns of a row that these bits show; the others are as if there were nothing.
void oracle_project(const struct row *row, uint32_t bits, struct charle_buf *out);

// How a replica of a version of the schema has the rows of a server of a version.
struct lens {
    int server, replica;
    const uint32_t *masked; // by table: columns that it has yet to fetch; bit 31: rows, too. NULL: nothing
};
#define ORACLE_ROWS_MASKED (1u << 31)
// The columns that a scope shows to it. *out_zeros: those that it insists on and the server does not have.
uint32_t oracle_seen_by(const struct lens *lens, const struct table_spec *table, const char *scope, uint32_t *out_zeros);
void oracle_see(const struct lens *lens, const struct row *row, uint32_t bits, uint32_t zeros, struct charle_buf *out);
// Goes through the scopes of a row; they are between blanks. NULL: there is none any more.
const char *oracle_next_scope(const char *at, char out[SCOPE_SIZE]);

// --- oracle.c --------------------------------------------------------------------------------------------------------

struct version;
bool oracle_holds(const struct version *version, const char *person, const char *scope); // who may see what, once more by hand

// --- history.c -------------------------------------------------------------------------------------------------------

struct row { // one of its kind: equal rows are the same
    uint32_t table;
    const char *key, *scopes, *columns; // columns: each behind a unit separator
    uint64_t hash;
    struct row *next;
};

struct head {
    char scope[SCOPE_SIZE];
    int64_t stamp;
    uint64_t lineage;
    uint64_t content; // hash of what the scope shows
};

struct version {
    int schema; // the server's
    struct row **rows; // sorted by table and key
    size_t row_count;
    struct head *heads; // sorted by scope
    size_t head_count;
};

struct head *version_head(const struct version *version, const char *scope); // NULL: it has none
void version_free(struct version *version);
int64_t row_number(const struct row *row, int column);
void oracle_make_state_sql(struct oracle *oracle);
uint64_t oracle_hash(uint64_t hash, const void *data, size_t size);

// --- judged.c --------------------------------------------------------------------------------------------------------

struct device {
    char id[CH_ID_LEN + 1];
    uint8_t *kinds; // by number - 1
    size_t count, capacity, saved_count;
};

struct tally {
    char id[16];
    int64_t n, saved_n, uncommitted;
};

struct answered { // a call, by the number that it took on its device
    const struct device *device;
    int64_t sequence;
    uint64_t seed;
};

// The call may take effect once more: nobody can know whether it was on its way.
void oracle_pardon(struct oracle *oracle, uint64_t seed);
struct tally *oracle_tally(struct oracle *oracle, const char *id);

// --- promised.c ------------------------------------------------------------------------------------------------------

// A verdict was given: it must be that of the call which has the number.
void oracle_note_answer(struct oracle *oracle, const struct device *device, const struct charle_push_request *request, int64_t sequence);
void oracle_forget_answers(struct oracle *oracle); // of numbers that devices do not have any more

// --- view.c ----------------------------------------------------------------------------------------------------------

struct cursor {
    char scope[SCOPE_SIZE];
    int64_t stamp;
    uint64_t lineage;
    int state;
};
struct view { // of a laptop's file
    struct cursor cursors[SCOPES_MAX];
    size_t cursor_count;
    bool is_ready;
    uint32_t masked[ORACLE_TABLES]; // what its program, which was updated, has yet to fetch: as in struct lens
    struct charle_buf rows; // "table US key columns LF" in order
};

uint64_t oracle_hash_of(sqlite3_stmt *row); // of method and request of a call, its first two columns
// All are false when the disk has died: the laptop is about to crash. Or bits turned over, which is noted.
bool view_read_cursors(struct laptop *laptop, struct view *view);
bool view_read_tables(struct laptop *laptop, const uint32_t *masked, struct charle_buf *out); // as its user sees them; NULL: everything
bool view_read(struct laptop *laptop, struct view *view);             // without the effects of waiting calls
void view_fail_on_rows(struct laptop *laptop, const char *what, struct charle_buf *expected, struct charle_buf *found);

struct oracle {
    struct world *world;
    struct charle_buf state_sql[VERSIONS];
    struct row *interned[INTERN_SIZE];
    struct version *versions;
    size_t count, capacity;
    struct device devices[DEVICES_MAX];
    size_t device_count;
    uint64_t
        *effects; // seeds of the calls that took effect: a call keeps its seed whatever number and device it goes by
    size_t effect_count, effect_capacity, saved_effect_count;
    uint64_t *pardoned; // seeds
    size_t pardoned_count;
    struct answered *answered;
    size_t answered_count, answered_capacity;
    struct tally tallies[TALLIES_MAX];
    size_t tally_count;
    bool is_fresh; // the past was rewritten: the next version need not follow from the last
};

#endif
