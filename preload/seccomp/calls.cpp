// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/events.h"
#include "seccomp/call.hpp"
#include "seccomp/target.hpp"
#include "src/guard.hpp"

namespace particle::bind {
namespace {

constexpr std::size_t kMaxDatagram = 65536;
/// Connects that wait for the network each hold a thread; more than this get EAGAIN.
constexpr int kMaxWaiting = 512;

std::atomic<int> waiting_connects{0};

class Call {
 public:
  Call(const CallContext& context, const seccomp_notif& notification)
      : context_(context), who_(notification) {}

  void answer();

 private:
  [[nodiscard]] pid_t thread() const { return static_cast<pid_t>(who_.pid); }
  [[nodiscard]] std::uint64_t argument(int i) const { return who_.data.args[i]; }
  [[nodiscard]] int int_argument(int i) const { return static_cast<int>(argument(i)); }
  [[nodiscard]] const pb_endpoint& endpoint() const { return context_.endpoint; }

  void respond(std::int64_t value, int error, std::uint32_t flags = 0) const;
  void succeed(std::int64_t value = 0) const { respond(value, 0); }
  void refuse(int error) const { respond(0, error); }
  /// Lets the kernel do the call itself. Only where nothing that the program could still change was
  /// judged, or where the change could not matter.
  void let_pass() const { respond(0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE); }
  void log(unsigned operation, const pb_verdict& verdict, const Name& name) const;

  /// Duplicates the socket and checks that the caller is still who it was. Answers when it fails.
  bool open_socket();
  bool copy_name(int address, int size);

  void on_socket() const;
  void on_bind();
  void on_connect();
  void on_listen();
  void on_sendto();
  void on_name(bool peer);

  int bind_as_target(const Name& name) const;
  int rewrite_destination(Name& name) const;
  int prepare_source(const Name& destination, bool to_loopback) const;
  void connect_in_thread(Name name);

  const CallContext& context_;
  const seccomp_notif& who_;
  UniqueFd socket_;
  SocketFacts facts_;
  Name name_;
};

void respond_to(int listener, std::uint64_t id, std::int64_t value, int error,
                std::uint32_t flags) {
  seccomp_notif_resp response = {};
  response.id = id;
  response.val = value;
  response.error = -error;
  response.flags = flags;
  // ENOENT: the caller is gone, and nobody waits.
  ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

void Call::respond(std::int64_t value, int error, std::uint32_t flags) const {
  respond_to(context_.listener->get(), who_.id, value, error, flags);
}

void Call::log(unsigned operation, const pb_verdict& verdict, const Name& name) const {
  if (endpoint().mode != PB_AUDIT || verdict.row == PB_ROW_NONE || verdict.row == PB_ROW_BIND_OWN) {
    return;
  }
  unsigned address[4] = {};
  const bool v6 = name.storage.ss_family == AF_INET6;
  if (v6) {
    std::memcpy(address, &reinterpret_cast<const sockaddr_in6&>(name.storage).sin6_addr, 16);
  } else {
    std::memcpy(address, &reinterpret_cast<const sockaddr_in&>(name.storage).sin_addr, 4);
  }
  context_.log(describe(operation, verdict.row, v6 ? AF_INET6 : AF_INET, address, name.port(),
                        who_.pid, "process"));
}

bool Call::open_socket() {
  socket_ = duplicate_of(thread(), int_argument(0));
  if (!socket_.valid()) {
    refuse(errno == ESRCH ? EBADF : errno);
    return false;
  }
  if (!still_waits(context_.listener->get(), who_.id)) {
    return false;  // the pid may be another's: nothing to answer either
  }
  struct stat status = {};
  if (::fstat(socket_.get(), &status) != 0 || !S_ISSOCK(status.st_mode)) {
    refuse(ENOTSOCK);
    return false;
  }
  facts_ = facts_of(socket_.get());
  return true;
}

bool Call::copy_name(int address, int size) {
  const auto length = static_cast<std::uint32_t>(argument(size));
  if (length > sizeof(name_.storage)) {
    refuse(EINVAL);
    return false;
  }
  name_.size = static_cast<socklen_t>(length);
  if (!read_memory(thread(), argument(address), &name_.storage, length)) {
    refuse(EFAULT);
    return false;
  }
  return true;
}

/// A port below ip_unprivileged_port_start, and any name in the file system, is the caller's to take or
/// not: the kernel judges the thread that binds, so it gets the caller's rights for that moment.
int Call::bind_as_target(const Name& name) const {
  const bool privileged_port = facts_.inet() && name.port() != 0 && ntohs(name.port()) < 1024;
  if (facts_.inet() && !privileged_port) {
    return ::bind(socket_.get(), name.get(), name.size) == 0 ? 0 : errno;
  }
  const std::optional<Rights> rights = rights_of(thread());
  if (!rights || !still_waits(context_.listener->get(), who_.id)) {
    return EACCES;
  }
  const Impersonation as(thread(), *rights, facts_.domain == AF_UNIX);
  if (!as.complete()) {
    return EACCES;
  }
  return ::bind(socket_.get(), name.get(), name.size) == 0 ? 0 : errno;
}

void Call::on_bind() {
  if (!open_socket() || !copy_name(1, 2)) {
    return;
  }
  pb_verdict verdict = {};
  Name name = name_;
  if (facts_.inet() && name_.is_v4()) {
    pb_bind4(&endpoint(), name_.v4().sin_addr.s_addr, &verdict);
    if (verdict.action == PB_CHANGE) {
      name = name_v4(verdict.address[0], name_.port());
    }
  } else if (facts_.inet() && name_.is_v6()) {
    unsigned address[4];
    std::memcpy(address, &name_.v6().sin6_addr, sizeof(address));
    pb_bind6(&endpoint(), address, facts_.v6only ? 1 : 0, &verdict);
    if (verdict.action == PB_CHANGE) {
      name = name_v6(verdict.address, name_.port());
    }
  } else if (facts_.inet()) {
    return refuse(EINVAL);  // AF_UNSPEC and names too short to be one
  }
  log(PB_OP_BIND, verdict, name_);
  if (verdict.action == PB_REFUSE) {
    return refuse(static_cast<int>(verdict.error));
  }
  const int error = bind_as_target(name);
  error != 0 ? refuse(error) : succeed();
}

/// 127.0.0.1 and "any" become the endpoint's alias, or its address where a server on "any" listens.
/// Returns an errno, or -1 when the destination is loopback now.
int Call::rewrite_destination(Name& name) const {
  pb_verdict verdict = {};
  unsigned address[4] = {};
  if (name.is_v4()) {
    pb_to4(&endpoint(), name.v4().sin_addr.s_addr, &verdict);
  } else {
    std::memcpy(address, &name.v6().sin6_addr, sizeof(address));
    pb_to6(&endpoint(), address, &verdict);
  }
  log(PB_OP_CONNECT, verdict, name);
  if (verdict.action == PB_REFUSE) {
    return static_cast<int>(verdict.error);
  }
  if (verdict.action == PB_PASS) {
    return verdict.row == PB_ROW_TO_LOOPBACK ? -1 : 0;  // audit
  }
  const unsigned alias = endpoint().alias4;
  const bool own = endpoint().v4 != 0 && !serves(facts_.type, alias, name.port()) &&
                   serves(facts_.type, endpoint().v4, name.port());
  const unsigned to = own ? endpoint().v4 : alias;
  pb_map(address, to);
  name = name.is_v4() ? name_v4(to, name.port()) : name_v6(address, name.port());
  return own ? 0 : -1;
}

/// Gives a socket that has no port yet the source that belongs to `destination`. Returns an errno.
int Call::prepare_source(const Name& destination, bool to_loopback) const {
  Name bound;
  bound.size = sizeof(bound.storage);
  if (::getsockname(socket_.get(), bound.get(), &bound.size) != 0) {
    return errno;
  }
  const bool v6_socket = facts_.domain == AF_INET6;
  unsigned to[4] = {};
  unsigned from[4] = {};
  if (destination.storage.ss_family == AF_INET6) {
    std::memcpy(to, &reinterpret_cast<const sockaddr_in6&>(destination.storage).sin6_addr, 16);
  } else {
    pb_map(to, reinterpret_cast<const sockaddr_in&>(destination.storage).sin_addr.s_addr);
  }
  if (v6_socket) {
    std::memcpy(from, &bound.v6().sin6_addr, sizeof(from));
  } else {
    from[3] = bound.v4().sin_addr.s_addr;
  }
  const bool free = bound.port() == 0;  // no port: the address is ours to choose
  pb_verdict verdict = {};
  if (pb_is_mapped(to)) {
    if (to_loopback && endpoint().mode == PB_REWRITE && free) {
      pb_set(&verdict, PB_CHANGE, 0, PB_ROW_TO_LOOPBACK);
      verdict.address[0] = htonl(INADDR_LOOPBACK);
    } else if (to_loopback) {
      return 0;
    } else {
      pb_source4(&endpoint(), free ? 0 : from[3], &verdict);
    }
    if (verdict.action == PB_CHANGE && v6_socket) {
      pb_map(verdict.address, verdict.address[0]);
    }
  } else {
    const unsigned none[4] = {};
    pb_source6(&endpoint(), free ? none : from, &verdict);
  }
  log(PB_OP_CONNECT, verdict, destination);
  if (verdict.action == PB_REFUSE) {
    return static_cast<int>(verdict.error);
  }
  if (verdict.action == PB_PASS) {
    return 0;
  }
  if (!free) {
    return EADDRNOTAVAIL;  // a port but no address: it was bound before the enforcement
  }
  return bind_address_only(
      socket_.get(), v6_socket ? name_v6(verdict.address, 0) : name_v4(verdict.address[0], 0));
}

/// A connect that waits for the network does so on a thread of its own. Not joined: it holds nothing
/// but the duplicate, and ends with the connection attempt.
void Call::connect_in_thread(Name name) {
  if (waiting_connects.fetch_add(1) >= kMaxWaiting) {
    waiting_connects.fetch_sub(1);
    return refuse(EAGAIN);
  }
  std::thread([listener = context_.listener, id = who_.id, fd = std::move(socket_), name] {
    const int error = ::connect(fd.get(), name.get(), name.size) == 0 ? 0 : errno;
    respond_to(listener->get(), id, 0, error, 0);
    waiting_connects.fetch_sub(1);
  }).detach();
}

void Call::on_connect() {
  if (!open_socket()) {
    return;
  }
  if (!facts_.inet()) {
    // A path or an abstract name: the peer must see the caller's credentials, not ours. Should another
    // thread put an IP socket in this one's place meanwhile, that one is bound to the endpoint already.
    return let_pass();
  }
  if (!copy_name(1, 2)) {
    return;
  }
  Name name = name_;
  if (name.is_v4() || name.is_v6()) {
    const int rewritten = rewrite_destination(name);
    if (rewritten > 0) {
      return refuse(rewritten);
    }
    if (const int error = prepare_source(name, rewritten < 0); error != 0) {
      return refuse(error);
    }
  }
  const int flags = ::fcntl(socket_.get(), F_GETFL);
  if (facts_.type == SOCK_STREAM && (flags & O_NONBLOCK) == 0) {
    return connect_in_thread(name);
  }
  ::connect(socket_.get(), name.get(), name.size) == 0 ? succeed() : refuse(errno);
}

void Call::on_listen() {
  if (!open_socket()) {
    return;
  }
  Name bound;
  bound.size = sizeof(bound.storage);
  if (facts_.inet() && facts_.type == SOCK_STREAM &&
      ::getsockname(socket_.get(), bound.get(), &bound.size) == 0 && bound.port() == 0) {
    const unsigned any[4] = {};
    pb_verdict verdict = {};
    facts_.domain == AF_INET ? pb_bind4(&endpoint(), 0, &verdict)
                             : pb_bind6(&endpoint(), any, facts_.v6only ? 1 : 0, &verdict);
    verdict.row = PB_ROW_LISTEN_UNBOUND;
    log(PB_OP_LISTEN, verdict, bound);
    if (verdict.action == PB_REFUSE) {
      return refuse(static_cast<int>(verdict.error));
    }
    // Another thread may have bound it by now (EINVAL): then it is bound, and was judged.
    const Name name =
        facts_.domain == AF_INET ? name_v4(verdict.address[0], 0) : name_v6(verdict.address, 0);
    if (verdict.action == PB_CHANGE && ::bind(socket_.get(), name.get(), name.size) != 0 &&
        errno != EINVAL) {
      return refuse(errno);
    }
  }
  ::listen(socket_.get(), int_argument(1)) == 0 ? succeed() : refuse(errno);
}

void Call::on_sendto() {
  if (!open_socket()) {
    return;
  }
  if (!facts_.inet() || facts_.type != SOCK_DGRAM) {
    // On a stream the address is ignored, but for a connect in disguise.
    return (int_argument(3) & MSG_FASTOPEN) != 0 ? refuse(EOPNOTSUPP) : let_pass();
  }
  if (!copy_name(4, 5)) {
    return;
  }
  const std::size_t size = argument(2);
  if (size > kMaxDatagram) {
    return refuse(EMSGSIZE);
  }
  std::vector<char> bytes(size);
  if (!read_memory(thread(), argument(1), bytes.data(), size)) {
    return refuse(EFAULT);
  }
  Name name = name_;
  if (name.is_v4() || name.is_v6()) {
    const int rewritten = rewrite_destination(name);
    if (rewritten > 0) {
      return refuse(rewritten);
    }
    if (const int error = prepare_source(name, rewritten < 0); error != 0) {
      return refuse(error);
    }
  }
  const ssize_t sent = ::sendto(socket_.get(), bytes.data(), size, int_argument(3) | MSG_NOSIGNAL,
                                name.get(), name.size);
  sent < 0 ? refuse(errno) : succeed(sent);
}

void Call::on_name(bool peer) {
  if (!open_socket()) {
    return;
  }
  Name name;
  name.size = sizeof(name.storage);
  socklen_t room = 0;
  const auto get = peer ? &::getpeername : &::getsockname;
  if (get(socket_.get(), name.get(), &name.size) != 0) {
    return refuse(errno);
  }
  if (name.is_v4() && pb_shows_loopback4(&endpoint(), name.v4().sin_addr.s_addr) != 0) {
    name.v4().sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else if (name.is_v6()) {
    unsigned address[4];
    std::memcpy(address, &name.v6().sin6_addr, sizeof(address));
    if (pb_shows_loopback6(&endpoint(), address) != 0) {
      name.v6().sin6_addr = IN6ADDR_LOOPBACK_INIT;
    }
  }
  if (!read_memory(thread(), argument(2), &room, sizeof(room)) ||
      !write_memory(thread(), argument(1), name.get(), std::min(room, name.size)) ||
      !write_memory(thread(), argument(2), &name.size, sizeof(name.size))) {
    return refuse(EFAULT);
  }
  succeed();
}

/// Makes the socket for the caller and binds it to the endpoint's address, without a port: whatever it
/// does before its own bind(2), listen() and sendmsg() included, comes from there.
void Call::on_socket() const {
  const int domain = int_argument(0);
  const int type = int_argument(1);
  const int protocol = int_argument(2);
  const int kind = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
  pb_verdict verdict = {};
  pb_create(&endpoint(), static_cast<unsigned>(domain), static_cast<unsigned>(kind),
            static_cast<unsigned>(protocol), &verdict);
  if (verdict.action == PB_REFUSE) {
    return refuse(static_cast<int>(verdict.error));
  }
  if ((kind != SOCK_STREAM && kind != SOCK_DGRAM) || endpoint().mode != PB_REWRITE) {
    return let_pass();  // by numbers alone, which nobody can change any more
  }
  const UniqueFd made(::socket(domain, type | SOCK_CLOEXEC, protocol));
  if (!made.valid()) {
    return refuse(errno);
  }
  pb_verdict source = {};
  Name name;
  if (domain == AF_INET || !pb_has_v6(&endpoint())) {
    pb_source4(&endpoint(), 0, &source);
    pb_map(source.address, source.address[0]);
    name = domain == AF_INET ? name_v4(source.address[3], 0) : name_v6(source.address, 0);
  } else {
    name = name_v6(endpoint().v6, 0);
  }
  if (source.action == PB_REFUSE) {
    return refuse(EAFNOSUPPORT);  // an IPv4 socket of an endpoint without IPv4
  }
  if (const int error = bind_address_only(made.get(), name); error != 0) {
    // A transport that cannot be given an address in advance cannot be kept to one.
    return refuse(error == ENOPROTOOPT || error == EOPNOTSUPP ? EPROTONOSUPPORT : error);
  }
  seccomp_notif_addfd add = {};
  add.id = who_.id;
  add.flags = SECCOMP_ADDFD_FLAG_SEND;
  add.srcfd = static_cast<std::uint32_t>(made.get());
  add.newfd_flags = (type & SOCK_CLOEXEC) != 0 ? O_CLOEXEC : 0;
  if (::ioctl(context_.listener->get(), SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0) {
    refuse(errno);
  }
}

void Call::answer() {
  switch (who_.data.nr) {
    case SYS_socket:
      return on_socket();
    case SYS_bind:
      return on_bind();
    case SYS_connect:
      return on_connect();
    case SYS_listen:
      return on_listen();
    case SYS_sendto:
      return on_sendto();
    case SYS_getsockname:
      return on_name(false);
    case SYS_getpeername:
      return on_name(true);
    default:
      return refuse(ENOSYS);
  }
}

}  // namespace

void answer(const CallContext& context, const seccomp_notif& notification) {
  Call(context, notification).answer();
}

}  // namespace particle::bind
