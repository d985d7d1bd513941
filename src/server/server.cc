// See the header.
#include "server/server.h"

#include <chrono>
#include <thread>

#include "server/api/service.h"

namespace galago::server {
namespace {

constexpr auto kLook = std::chrono::milliseconds(20);
constexpr double kLastWords = 5;  // seconds that errors of what was ended may take to their clients

}  // namespace

struct Server::State {
  State(http::Options http, ApiOptions api, Log log)
      : service(std::move(api), std::move(log)), server(std::move(http), service.callbacks()) {}

  Service service;
  http::Server server;  // last: it calls the service
};

Server::Server(http::Options http, ApiOptions api, Log log)
    : state_(std::make_unique<State>(std::move(http), std::move(api), std::move(log))) {
  state_->server.start();
}

Server::~Server() = default;

std::string Server::address() const { return state_->server.address(); }

void Server::ready(std::vector<std::unique_ptr<ServedModel>> models) {
  state_->service.ready(std::move(models));
}

void Server::drain(double seconds, const std::function<bool()>& hurry) {
  using Clock = std::chrono::steady_clock;
  const auto later = [](double s) {
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
  };
  state_->service.drain();
  state_->server.drain();
  const auto idle_by = [&](Clock::time_point deadline) {
    while (state_->server.active() > 0) {
      if (Clock::now() >= deadline || (hurry && hurry())) return false;
      std::this_thread::sleep_for(kLook);
    }
    return true;
  };
  if (idle_by(later(seconds))) return;
  for (const auto end = later(kLastWords); Clock::now() < end && state_->server.active() > 0;) {
    state_->service.stop_answers();  // again: some may only now have been read
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace galago::server
