// Bringing a database to the schema that this program was built for.
//
// What was done is recorded in charle.migration, in the transaction that did it:
//   name              parent           what it is
//   platform          -                the platform's own tables and functions; run again whenever its text changes
//   0001_initial …    the one before   the application's migrations, in the order of their names
//   schema            -                an application without migrations: made from its descriptors, when empty
// Checksums are of the statements, not of comments and white space. The newest record carries the hash of the schema it
// led to.
//
// Everything runs under an advisory lock of the session that is polled, never waited for: a waiter would hold a
// snapshot that an index built concurrently elsewhere would wait for in turn. A crash leaves whole migrations only.
#ifndef CHARLE_SERVER_MIGRATE_H
#define CHARLE_SERVER_MIGRATE_H

#include "server/app.h"
#include "server/database.h"

struct ch_migration_list {
    const char *platform_sql; // may be NULL in tests
    const struct charle_schema *schema;
    const struct ch_migration *items; // ascending names; empty: made from descriptors
    size_t count;
};

// Applies what is missing when `may_apply`, else only checks. SCHEMA_MISMATCH with a sentence when the database was
// changed behind the records' back, is newer than the program, or lacks something that may not be applied. out_applied
// takes how many were applied; may be NULL.
CHARLE_MUST_CHECK enum charle_err ch_migrate(PGconn *conn, const struct ch_migration_list *list, bool may_apply,
                                             size_t *out_applied, struct charle_error *err);

#endif
