// gRPC C++ as the peer of rpc_get: a synchronous server with a pool of eight PostgreSQL connections, prepared statements, binary
// results, and an asynchronous client that keeps 64 calls in flight on one channel.
//
//   bench_grpc_get_server DATABASE_URL       prints the port, then serves until its standard input closes
//   bench_grpc_get_client PORT SECONDS       reads ids from standard input, prints calls a second
#include "get.grpc.pb.h"

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <libpq-fe.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <endian.h>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

constexpr int kPoolSize = 8;
constexpr int kInFlight = 64;

class Pool {
public:
    explicit Pool(const char *url)
    {
        for (int i = 0; i < kPoolSize; i++) {
            PGconn *conn = PQconnectdb(url);
            if (PQstatus(conn) != CONNECTION_OK) {
                std::fprintf(stderr, "%s", PQerrorMessage(conn));
                std::exit(1);
            }
            PQclear(PQprepare(conn, "get",
                              "select id, display_id, title, description, client_id, pm_id, priority, status, created_at, updated_at "
                              "from task where id = $1",
                              1, nullptr));
            free_.push_back(conn);
        }
    }
    PGconn *Take()
    {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [this] { return !free_.empty(); });
        PGconn *conn = free_.back();
        free_.pop_back();
        return conn;
    }
    void Give(PGconn *conn)
    {
        std::lock_guard<std::mutex> lock(mutex_);
        free_.push_back(conn);
        wake_.notify_one();
    }

private:
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<PGconn *> free_;
};

std::string Text(const PGresult *result, int column)
{
    return std::string(PQgetvalue(result, 0, column), static_cast<size_t>(PQgetlength(result, 0, column)));
}

int32_t Int(const PGresult *result, int column)
{
    uint32_t v;
    std::memcpy(&v, PQgetvalue(result, 0, column), 4);
    return static_cast<int32_t>(ntohl(v));
}

int64_t Long(const PGresult *result, int column)
{
    uint64_t v;
    std::memcpy(&v, PQgetvalue(result, 0, column), 8);
    return static_cast<int64_t>(be64toh(v));
}

class TasksService final : public bench_get::Tasks::Service {
public:
    explicit TasksService(Pool *pool) : pool_(pool) {}
    grpc::Status Get(grpc::ServerContext *, const bench_get::Key *key, bench_get::Task *task) override
    {
        const char *values[1] = {key->id().c_str()};
        PGconn *conn = pool_->Take();
        PGresult *result = PQexecPrepared(conn, "get", 1, values, nullptr, nullptr, 1);
        pool_->Give(conn);
        if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1) {
            PQclear(result);
            return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such task");
        }
        task->set_id(Text(result, 0));
        task->set_display_id(Int(result, 1));
        task->set_title(Text(result, 2));
        task->set_description(Text(result, 3));
        task->set_client_id(Text(result, 4));
        task->set_pm_id(Text(result, 5));
        task->set_priority(Int(result, 6));
        task->set_status(Text(result, 7));
        task->set_created_at(Long(result, 8));
        task->set_updated_at(Long(result, 9));
        PQclear(result);
        return grpc::Status::OK;
    }

private:
    Pool *pool_;
};

int Serve(const char *url)
{
    Pool pool(url);
    TasksService service(&pool);
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    std::printf("%d\n", port);
    std::fflush(stdout);
    for (std::string line; std::getline(std::cin, line);) {
    }
    server->Shutdown();
    return 0;
}

struct Call {
    grpc::ClientContext context;
    bench_get::Key key;
    bench_get::Task reply;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<bench_get::Task>> reader;
};

void Start(bench_get::Tasks::Stub *stub, grpc::CompletionQueue *queue, const std::string &id)
{
    auto *call = new Call;
    call->key.set_id(id);
    call->reader = stub->AsyncGet(&call->context, call->key, queue);
    call->reader->Finish(&call->reply, &call->status, call);
}

int Drive(const char *port, double seconds)
{
    std::vector<std::string> ids;
    for (std::string line; std::getline(std::cin, line);)
        ids.push_back(line);
    if (ids.empty())
        return 1;
    auto stub = bench_get::Tasks::NewStub(
        grpc::CreateChannel(std::string("127.0.0.1:") + port, grpc::InsecureChannelCredentials()));
    grpc::CompletionQueue queue;
    size_t next = 0, done = 0, failed = 0;
    auto begin = std::chrono::steady_clock::now();
    auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
    int open = 0;
    for (; open < kInFlight; open++)
        Start(stub.get(), &queue, ids[next++ % ids.size()]);
    while (open > 0) {
        void *tag;
        bool ok;
        if (!queue.Next(&tag, &ok))
            break;
        auto *call = static_cast<Call *>(tag);
        failed += !call->status.ok();
        delete call;
        open--;
        done++;
        if (elapsed() < seconds) {
            Start(stub.get(), &queue, ids[next++ % ids.size()]);
            open++;
        }
    }
    if (failed) {
        std::fprintf(stderr, "%zu calls failed\n", failed);
        return 1;
    }
    std::printf("%.1f\n", static_cast<double>(done) / elapsed());
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    const char *name = std::strrchr(argv[0], '_');
    if (argc == 2 && name && std::strcmp(name, "_server") == 0)
        return Serve(argv[1]);
    if (argc == 3)
        return Drive(argv[1], std::atof(argv[2]));
    std::fprintf(stderr, "usage: bench_grpc_get_server DATABASE_URL | bench_grpc_get_client PORT SECONDS\n");
    return 2;
}
