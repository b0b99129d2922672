// gRPC C++ as the peer of rpc_unary_1x64: an asynchronous server with a completion queue and a thread for each processor, and an
// asynchronous client that keeps calls in flight on one channel.
//
//   bench_grpc_echo serve                    prints the port, serves until its standard input closes
//   bench_grpc_echo call PORT IN_FLIGHT      prints calls a second, the median and the 99th percentile of their times
#include "bench/rpc/echo.h"
#include "echo.grpc.pb.h"

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

// One call on the server: waits for a request, answers, and is used again for the next.
class ServerCall {
public:
    ServerCall(bench::Echo::AsyncService *service, grpc::ServerCompletionQueue *queue) : service_(service), queue_(queue)
    {
        Wait();
    }
    void Proceed(bool ok)
    {
        if (!is_answered_ && ok) {
            is_answered_ = true;
            responder_->Finish(request_, grpc::Status::OK, this);
        } else if (ok) {
            Wait();
        }
    }

private:
    void Wait()
    {
        is_answered_ = false;
        context_ = std::make_unique<grpc::ServerContext>();
        responder_ = std::make_unique<grpc::ServerAsyncResponseWriter<bench::EchoMessage>>(context_.get());
        service_->RequestEcho(context_.get(), &request_, responder_.get(), queue_, queue_, this);
    }
    bench::Echo::AsyncService *service_;
    grpc::ServerCompletionQueue *queue_;
    std::unique_ptr<grpc::ServerContext> context_;
    std::unique_ptr<grpc::ServerAsyncResponseWriter<bench::EchoMessage>> responder_;
    bench::EchoMessage request_;
    bool is_answered_ = false;
};

int Serve()
{
    bench::Echo::AsyncService service;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
    unsigned count = std::max(1u, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < count; i++)
        queues.push_back(builder.AddCompletionQueue());
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    std::vector<std::unique_ptr<ServerCall>> calls;
    std::vector<std::thread> threads;
    for (auto &queue : queues) {
        for (int i = 0; i < 2 * ECHO_IN_FLIGHT; i++)
            calls.push_back(std::make_unique<ServerCall>(&service, queue.get()));
        threads.emplace_back([&queue] {
            void *tag;
            bool ok;
            while (queue->Next(&tag, &ok))
                static_cast<ServerCall *>(tag)->Proceed(ok);
        });
    }
    std::printf("%d\n", port);
    std::fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    server->Shutdown(std::chrono::system_clock::now());
    for (auto &queue : queues)
        queue->Shutdown();
    for (auto &thread : threads)
        thread.join();
    return 0;
}

struct ClientCall {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<bench::EchoMessage>> reader;
    bench::EchoMessage reply;
    grpc::Status status;
    Clock::time_point start;
};

int CallForAWhile(const char *port, int in_flight)
{
    auto channel = grpc::CreateChannel(std::string("127.0.0.1:") + port, grpc::InsecureChannelCredentials());
    auto stub = bench::Echo::NewStub(channel);
    grpc::CompletionQueue queue;
    bench::EchoMessage request;
    request.set_payload(std::string(ECHO_SIZE - 2, 'x')); // tag and length make up the rest
    std::vector<ClientCall> calls(static_cast<size_t>(in_flight));
    std::vector<float> times;
    times.reserve(ECHO_LATENCIES_MAX);
    auto start = [&](ClientCall *call) {
        call->context = std::make_unique<grpc::ClientContext>();
        call->start = Clock::now();
        call->context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30)); // as ours by default
        call->reader = stub->AsyncEcho(call->context.get(), request, &queue);
        call->reader->Finish(&call->reply, &call->status, call);
    };
    auto from = Clock::now() + std::chrono::milliseconds(ECHO_WARM_UP_MS);
    auto until = from + std::chrono::milliseconds(ECHO_RUN_MS);
    for (auto &call : calls)
        start(&call);
    void *tag;
    bool ok;
    while (in_flight > 0 && queue.Next(&tag, &ok)) {
        auto *call = static_cast<ClientCall *>(tag);
        if (!ok || !call->status.ok()) {
            std::fprintf(stderr, "a call failed: %s\n", call->status.error_message().c_str());
            return 1;
        }
        auto now = Clock::now();
        if (now >= from && now < until && times.size() < ECHO_LATENCIES_MAX)
            times.push_back(std::chrono::duration<float, std::micro>(now - call->start).count());
        if (now < until)
            start(call);
        else
            in_flight--;
    }
    std::sort(times.begin(), times.end());
    std::printf(ECHO_LINE_FORMAT, static_cast<double>(times.size()) * 1000 / ECHO_RUN_MS, times[times.size() / 2],
                times[times.size() * 99 / 100]);
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc == 2 && std::strcmp(argv[1], "serve") == 0)
        return Serve();
    if (argc == 4 && std::strcmp(argv[1], "call") == 0)
        return CallForAWhile(argv[2], std::atoi(argv[3]));
    std::fprintf(stderr, "usage: bench_grpc_echo serve | call PORT IN_FLIGHT\n");
    return 2;
}
