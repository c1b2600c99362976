// SPDX-License-Identifier: Apache-2.0
/// What the tests' containers run, statically linked:
///   greeter serve NAME [ADDRESS]  says NAME to whoever connects to ADDRESS ($PARTICLE_IP), port 7000
///   greeter ask ADDRESS           prints what the greeter there says; fails after two seconds of silence
///   greeter hold ADDRESS          listens there and never accepts: the third connection waits
///   greeter bind ADDRESS          binds port 7001 there and prints which address that came to be
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

constexpr in_port_t kPort = 7000;
constexpr int kPatience = 2;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

bool parse(const char* text, Address& address) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(kPort);
    address.size = sizeof(*v4);
    return true;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(kPort);
  address.size = sizeof(*v6);
  return inet_pton(AF_INET6, text, &v6->sin6_addr) == 1;
}

int serve(const std::string& name, const char* own) {
  Address address;
  if (own == nullptr || !parse(own, address)) return 2;
  const int listener = socket(address.storage.ss_family, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(listener, reinterpret_cast<sockaddr*>(&address.storage), address.size) != 0 ||
      listen(listener, 16) != 0) {
    std::perror(own);
    return 1;
  }
  for (;;) {
    const int client = accept(listener, nullptr, nullptr);
    if (client < 0) continue;
    if (write(client, name.data(), name.size()) < 0) std::perror("write");
    close(client);
  }
}

int hold(const char* where) {
  Address address;
  if (!parse(where, address)) return 2;
  const int listener = socket(address.storage.ss_family, SOCK_STREAM, 0);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address.storage), address.size) != 0 ||
      listen(listener, 0) != 0) {
    std::perror(where);
    return 1;
  }
  for (;;) pause();
}

int bind_at(const char* where) {
  Address address;
  if (!parse(where, address)) return 2;
  auto* generic = reinterpret_cast<sockaddr*>(&address.storage);
  // The port is at the same place in both families.
  reinterpret_cast<sockaddr_in*>(generic)->sin_port = htons(kPort + 1);
  const int bound = socket(address.storage.ss_family, SOCK_STREAM, 0);
  if (bound < 0 || bind(bound, generic, address.size) != 0 ||
      getsockname(bound, generic, &address.size) != 0) {
    std::perror(where);
    return 1;
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = address.storage.ss_family == AF_INET
                          ? static_cast<void*>(&reinterpret_cast<sockaddr_in*>(generic)->sin_addr)
                          : &reinterpret_cast<sockaddr_in6*>(generic)->sin6_addr;
  inet_ntop(address.storage.ss_family, bytes, text.data(), text.size());
  return std::puts(text.data()) >= 0 ? 0 : 1;
}

int ask(const char* whom) {
  Address address;
  if (!parse(whom, address)) return 2;
  const int peer = socket(address.storage.ss_family, SOCK_STREAM, 0);
  const timeval limit{kPatience, 0};
  setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  if (connect(peer, reinterpret_cast<sockaddr*>(&address.storage), address.size) != 0) {
    std::perror(whom);
    return 1;
  }
  std::array<char, 256> name{};
  const ssize_t size = read(peer, name.data(), name.size());
  if (size <= 0) return 1;
  return std::fwrite(name.data(), 1, static_cast<std::size_t>(size), stdout) > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (argc == 3 && verb == "serve") return serve(argv[2], std::getenv("PARTICLE_IP"));
  if (argc == 4 && verb == "serve") return serve(argv[2], argv[3]);
  if (argc == 3 && verb == "bind") return bind_at(argv[2]);
  if (argc == 3 && verb == "hold") return hold(argv[2]);
  if (argc == 3 && verb == "ask") return ask(argv[2]);
  return 2;
}
