// Which method runs where: worked out once from the descriptors of the application and of the platform.
#include "charle/admin.charle.h"
#include "charle/sync.charle.h"

#include "base/alloc.h"
#include "call/offline.h"
#include "server/engine_parts.h"

static enum ch_route_kind kind_of(const struct charle_method *method)
{
    if (charle_str_equal(method->name, charle_admin_echo_method.name))
        return CH_ROUTE_ECHO;
    if (charle_str_equal(method->name, charle_session_login_method.name))
        return CH_ROUTE_LOGIN;
    if (charle_str_equal(method->name, charle_sync_pull_method.name))
        return CH_ROUTE_PULL;
    if (method->streaming != CHARLE_UNARY)
        return CH_ROUTE_STREAM;
    if (charle_str_has_prefix(method->name, CHARLE_STR("charle.")))
        return CH_ROUTE_PLAIN;
    if (method->crud == CHARLE_CRUD_GET)
        return CH_ROUTE_GET;
    if (method->crud == CHARLE_CRUD_LIST)
        return CH_ROUTE_PLAIN; // one statement, which is a snapshot by itself
    return method->is_read_only ? CH_ROUTE_READ : CH_ROUTE_WRITE;
}

static enum charle_err make_table(struct ch_engine *engine, struct charle_error *err)
{
    const struct charle_schema *schema = engine->options.app->schema;
    size_t count = ch_platform_methods(engine->platform);
    count += ch_sync_methods(engine->platform + count);
    count += ch_file_methods(engine->platform + count);
    count += ch_device_methods(engine->platform + count);
    struct charle_service platform = {.name = CHARLE_STR("charle"), .methods = engine->platform, .method_count = count};
    const struct charle_service **services =
        ch_alloc_zeroed(schema->service_count + 1, sizeof(const struct charle_service *));
    if (!services)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    for (size_t i = 0; i < schema->service_count; i++)
        services[i] = schema->services[i];
    services[schema->service_count] = &platform;
    enum charle_err rc = charle_offline_check_all(schema, err);
    if (!rc)
        rc = charle_method_table_init(&engine->methods, services, schema->service_count + 1, err);
    ch_free(services);
    return rc;
}

enum charle_err ch_routes_init(struct ch_engine *engine, struct charle_error *err)
{
    engine->platform = ch_alloc_zeroed(CH_PLATFORM_METHODS_MAX + CH_SYNC_METHODS_MAX + CH_FILE_METHODS_MAX + CH_DEVICE_METHODS_MAX, sizeof(*engine->platform));
    enum charle_err rc =
        engine->platform ? make_table(engine, err) : charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    if (rc)
        return rc;
    engine->routes = ch_alloc_zeroed(engine->methods.count, sizeof(*engine->routes));
    if (!engine->routes)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    engine->habits = ch_alloc_zeroed(engine->methods.count, sizeof(*engine->habits));
    if (!engine->habits)
        return charle_fail(err, CHARLE_NO_MEMORY, "out of memory while starting");
    for (size_t i = 0; i < engine->methods.count; i++) {
        const struct charle_method *method = engine->methods.methods[i];
        struct ch_route *route = &engine->routes[i];
        *route = (struct ch_route){.method = method, .kind = kind_of(method)};
        route->is_push = charle_str_equal(method->name, charle_sync_push_method.name);
        if (route->kind == CH_ROUTE_WRITE || route->is_push)
            route->habit = &engine->habits[i];
    }
    return CHARLE_OK;
}

void ch_routes_deinit(struct ch_engine *engine)
{
    charle_method_table_deinit(&engine->methods);
    ch_free(engine->routes);
    ch_free(engine->habits);
    ch_free(engine->platform);
}

const struct ch_route *ch_route_find(const struct ch_engine *engine, struct charle_str name)
{
    size_t low = 0, high = engine->methods.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = charle_str_compare(engine->routes[middle].method->name, name);
        if (order == 0)
            return &engine->routes[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
