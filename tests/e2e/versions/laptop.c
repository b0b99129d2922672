// The shop's command line, of the version whose schema it is linked with.
#include "charle/cli.h"
#include "shop.schema.charle.h"

int main(int argc, char **argv)
{
    static const struct charle_cli_app app = {.name = "shop", .about = "a shop's items", .server = "shopd", .schema = &shop_schema};
    return charle_cli_main(&app, argc, argv);
}
