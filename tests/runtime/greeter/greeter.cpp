// SPDX-License-Identifier: Apache-2.0
/// What the tests' containers run, statically linked:
///   greeter serve NAME   says NAME to whoever connects to $PARTICLE_IP, port 7000
///   greeter ask ADDRESS  prints what the greeter there says; fails after two seconds of silence
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

int serve(const std::string& name) {
  const char* own = std::getenv("PARTICLE_IP");
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
  if (argc == 3 && std::strcmp(argv[1], "serve") == 0) return serve(argv[2]);
  if (argc == 3 && std::strcmp(argv[1], "ask") == 0) return ask(argv[2]);
  return 2;
}
