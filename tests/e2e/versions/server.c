// The shop's server, of the version whose schema it is linked with.
#include "server/app.h"
#include "shop.schema.charle.h"

int main(int argc, char **argv)
{
    static const struct ch_server_app app = {.name = "shopd", .schema = &shop_schema};
    return ch_server_main(&app, argc, argv);
}
