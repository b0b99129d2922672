// The schemas whose DDL is loaded: small.proto, and the application's when it is part of the build. NULL-terminated.
#ifndef CHARLE_TESTS_GEN_DDL_SCHEMAS_H
#define CHARLE_TESTS_GEN_DDL_SCHEMAS_H

#include "small.schema.charle.h"
#ifdef CHARLE_TEST_CHARLEOS
#    include "charleos.schema.charle.h"
#endif

static const struct charle_schema *const ddl_schemas[] = {
    &small_schema_tables,
#ifdef CHARLE_TEST_CHARLEOS
    &charleos_schema_tables,
#endif
    NULL,
};

#endif
