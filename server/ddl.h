// A schema's tables as SQL, put together from its descriptors.
#ifndef CHARLE_SERVER_DDL_H
#define CHARLE_SERVER_DDL_H

#include "base/buf.h"
#include "db/schema.h"

enum ch_ddl_kind {
    CH_DDL_PG,      // for PostgreSQL, with stamping triggers: the platform's own SQL must be there first
    CH_DDL_SQLITE,  // a plain SQLite database with everything
    CH_DDL_REPLICA, // what a laptop holds
};

// Appends the statements in an order in which they can be run. The first line names the schema and its hash, as
// migrations do.
void ch_ddl_write(const struct charle_schema *schema, enum ch_ddl_kind kind, struct charle_buf *buf);

#endif
