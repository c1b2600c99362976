// SPDX-License-Identifier: Apache-2.0
#include "agent_socket.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace particle::runtime {
namespace {

using Json = nlohmann::json;

constexpr int kMostFds = 8;
constexpr std::size_t kMostText = 1U << 20U;
constexpr timeval kCallPatience{5, 0};

struct Received {
  std::string text;
  std::vector<UniqueFd> fds;
};

void take_fds(msghdr& header, std::vector<UniqueFd>& fds) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
}

/// One recvmsg(2). Returns what it does; descriptors and bytes are appended.
ssize_t receive_part(int socket, Received& into) {
  std::array<char, 65536> bytes{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMostFds)> control{};
  iovec part{bytes.data(), bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  if (size < 0) return size;
  take_fds(header, into.fds);
  into.text.append(bytes.data(), static_cast<std::size_t>(size));
  return size;
}

Result<sockaddr_un> name_of(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof(name.sun_path)) {
    return fail(
        Error::of(Errc::invalid_argument, "listen at " + path,
                  "a socket's path has 107 characters at most: use a shorter run directory"));
  }
  std::memcpy(name.sun_path, path.data(), path.size());
  return name;
}

const sockaddr* generic(const sockaddr_un& name) {
  return reinterpret_cast<const sockaddr*>(&name);
}

/// `{"fds": ["seccompFd"], "metadata": "...", ...}`; the descriptors are in the order of `fds`.
Result<HandedOver> take_state(Received received) {
  const Json json = Json::parse(received.text, nullptr, false);
  const Error wrong =
      Error::of(Errc::invalid_argument, "read what a runtime says of a listener",
                "the OCI runtime specification's container process state is expected");
  if (!json.is_object() || !json.contains("fds") || !json["fds"].is_array()) return fail(wrong);
  HandedOver out;
  for (std::size_t i = 0; i < json["fds"].size() && i < received.fds.size(); ++i) {
    if (json["fds"][i] == "seccompFd") out.listener = std::move(received.fds[i]);
  }
  const auto metadata = json.find("metadata");
  if (!out.listener.valid() || metadata == json.end() || !metadata->is_string()) return fail(wrong);
  out.metadata = metadata->get<std::string>();
  return out;
}

}  // namespace

AgentPlace agent_place(const std::string& run_dir, const std::string& node_id) {
  const std::string directory = run_dir + "/agent";
  return {directory, directory + "/" + node_id, directory + "/" + node_id + ".lock"};
}

Result<UniqueFd> listen_at(const std::string& path) {
  const auto name = name_of(path);
  if (!name) return fail(name.error());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ::unlink(path.c_str());  // of an agent that was killed
  if (!fd.valid() || ::bind(fd.get(), generic(*name), sizeof(*name)) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0) {
    return fail(Error::from_errno(errno, "listen at " + path));
  }
  return fd;
}

bool is_answered(const std::string& path) {
  const auto name = name_of(path);
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return name && fd.valid() && ::connect(fd.get(), generic(*name), sizeof(*name)) == 0;
}

Result<std::optional<HandedOver>> receive_from_runtime(int connection) {
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kCallPatience, sizeof(kCallPatience));
  Received received;
  for (;;) {
    const ssize_t size = receive_part(connection, received);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(Error::from_errno(errno, "hear from a runtime"));
    // Not until the end: runc keeps the connection open for as long as its init needs it.
    if (size == 0 || received.text.size() > kMostText || Json::accept(received.text)) break;
  }
  if (received.text.empty() && received.fds.empty()) return std::optional<HandedOver>{};
  auto state = take_state(std::move(received));
  if (!state) return fail(std::move(state.error()));
  return std::optional<HandedOver>(*std::move(state));
}

Result<void> send_message(int socket, std::uint32_t number, const std::string& text, int fd) {
  std::array<iovec, 2> parts{
      {{&number, sizeof(number)}, {const_cast<char*>(text.data()), text.size()}}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  if (fd >= 0) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(fd));
    std::memcpy(CMSG_DATA(part), &fd, sizeof(fd));
  }
  if (::sendmsg(socket, &header, MSG_NOSIGNAL) < 0) {
    return fail(Error::from_errno(errno, "tell the bind agent's other process"));
  }
  return {};
}

Result<std::optional<AgentMessage>> receive_message(int socket) {
  Received received;
  ssize_t size = -1;
  while ((size = receive_part(socket, received)) < 0 && errno == EINTR) {
  }
  if (size < 0) return fail(Error::from_errno(errno, "hear from the bind agent's other process"));
  AgentMessage message;
  if (received.text.size() < sizeof(message.number)) return std::optional<AgentMessage>{};
  std::memcpy(&message.number, received.text.data(), sizeof(message.number));
  message.text = received.text.substr(sizeof(message.number));
  if (!received.fds.empty()) message.fd = std::move(received.fds.front());
  return std::optional<AgentMessage>(std::move(message));
}

}  // namespace particle::runtime
