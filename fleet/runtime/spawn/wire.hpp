// SPDX-License-Identifier: Apache-2.0
/// What the launcher and `particle-spawn` say to each other: one message is one packet of a
/// SOCK_SEQPACKET pair, with descriptors beside it. Both ends are of one build: the layout is private,
/// but a packet that ends early is refused all the same.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace particle::fleet::spawn {

/// The descriptor that particle-spawn finds its end of the pair at.
inline constexpr int kSocket = 3;
/// In an instance until its command runs: where its listener goes.
inline constexpr int kListeners = 4;
/// Most bytes of one packet: what the kernel takes with its default socket buffers, and some room.
inline constexpr std::size_t kMostBytes = 160 * 1024;
inline constexpr std::size_t kMostDescriptors = 8;

enum class Message : std::uint32_t {
  job,       ///< first: what all instances share
  start,     ///< one instance
  signal,    ///< token, number
  kill,      ///< all instances
  ready,     ///< the answer to job
  refuse,    ///< the answer to job: errno, what failed
  events,    ///< what happened to instances
  listener,  ///< to the bind agent: an instance's token, and its seccomp listener
};

/// Which descriptors come with a `start`, in this order.
enum Descriptor : std::uint32_t {
  kInput = 1U << 0U,   ///< standard input; else /dev/null
  kOutput = 1U << 1U,  ///< standard output
  kError = 1U << 2U,   ///< standard error
  kGroup = 1U << 3U,   ///< a directory of cgroup2 to be born in
  kNetns = 1U << 4U,   ///< a network namespace of the instance's own
  kMemory = 1U << 5U,  ///< cgroup.procs of a group of version 1
  kCpu = 1U << 6U,     ///< likewise
  kPids = 1U << 7U,    ///< likewise
};

enum class What : std::uint32_t {
  created,
  started,
  ended,    ///< value: the wait status
  refused,  ///< value: errno; text: what failed. Nothing of it is left
};

class Writer {
 public:
  explicit Writer(Message type) { number(static_cast<std::uint32_t>(type)); }
  template <class T>
    requires std::is_integral_v<T>
  Writer& number(T value) {
    const auto* bytes = reinterpret_cast<const char*>(&value);
    bytes_.append(bytes, sizeof(value));
    return *this;
  }
  Writer& text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    bytes_.append(value);
    return *this;
  }
  Writer& texts(const std::vector<std::string>& values) {
    number(static_cast<std::uint32_t>(values.size()));
    for (const std::string& value : values) text(value);
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Reads in the order of writing. After a read past the end everything is 0 and good() false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  template <class T>
    requires std::is_integral_v<T>
  T number() {
    T value{};
    if (const std::string_view bytes = take(sizeof(T)); bytes.size() == sizeof(T)) {
      std::memcpy(&value, bytes.data(),
                  sizeof(T));  // NOLINT(bugprone-suspicious-stringview-data-usage)
    }
    return value;
  }
  Message type() { return static_cast<Message>(number<std::uint32_t>()); }
  std::string text() { return std::string(take(number<std::uint32_t>())); }
  std::vector<std::string> texts() {
    std::vector<std::string> values;
    for (auto left = number<std::uint32_t>(); left > 0 && good_; --left) values.push_back(text());
    return values;
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool good_ = true;
};

/// A file or directory of the host that instances see.
struct Shown {
  std::string source;
  std::string target;
  bool writable = false;
};

/// What all instances of a job share.
struct Job {
  std::vector<std::string> layers;  ///< the image: directories, the lowest first
  std::vector<Shown> mounts;
  std::vector<std::string> hidden;  ///< directories of the image that instances find empty
  std::string directory;            ///< where commands start
  std::string stage;                ///< an empty directory to build the instances' view in
  std::string resolv_conf;
  std::string common_filter;  ///< seccomp: an array of sock_filter, of the spawner too
  std::string filter;         ///< of instances only
  std::string notify_filter;  ///< likewise: hands calls to the bind agent; empty: there is none
  std::uint64_t capabilities = 0;  ///< what instances keep
  std::uint64_t layer_bytes = 0;   ///< at most so much is written by an instance to its own files
  bool apart = true;               ///< abstract UNIX sockets of each instance are its own

  [[nodiscard]] std::string encode() const {
    Writer out(Message::job);
    out.texts(layers).number(static_cast<std::uint32_t>(mounts.size()));
    for (const Shown& one : mounts) out.text(one.source).text(one.target).number(one.writable);
    out.texts(hidden)
        .text(directory)
        .text(stage)
        .text(resolv_conf)
        .text(common_filter)
        .text(filter)
        .text(notify_filter);
    out.number(capabilities).number(layer_bytes).number(apart);
    return out.bytes();
  }
  static Job decode(Reader& in) {
    Job job;
    job.layers = in.texts();
    for (auto left = in.number<std::uint32_t>(); left > 0 && in.good(); --left) {
      Shown one;
      one.source = in.text();
      one.target = in.text();
      one.writable = in.number<bool>();
      job.mounts.push_back(std::move(one));
    }
    job.hidden = in.texts();
    job.directory = in.text();
    job.stage = in.text();
    job.resolv_conf = in.text();
    job.common_filter = in.text();
    job.filter = in.text();
    job.notify_filter = in.text();
    job.capabilities = in.number<std::uint64_t>();
    job.layer_bytes = in.number<std::uint64_t>();
    job.apart = in.number<bool>();
    return job;
  }
};

struct Start {
  std::uint64_t token = 0;  ///< the launcher's name for this start
  std::vector<std::string> command;
  std::vector<std::string> environment;
  std::string hostname;
  std::string hosts;  ///< what /etc/hosts says
  std::uint32_t descriptors = 0;

  [[nodiscard]] std::string encode() const {
    Writer out(Message::start);
    out.number(token).texts(command).texts(environment).text(hostname).text(hosts);
    out.number(descriptors);
    return out.bytes();
  }
  static Start decode(Reader& in) {
    Start start;
    start.token = in.number<std::uint64_t>();
    start.command = in.texts();
    start.environment = in.texts();
    start.hostname = in.text();
    start.hosts = in.text();
    start.descriptors = in.number<std::uint32_t>();
    return start;
  }
};

/// One of a message of events.
struct Happened {
  std::uint64_t token = 0;
  What what = What::created;
  std::int64_t at = 0;  ///< nanoseconds, CLOCK_REALTIME
  std::int32_t value = 0;
  std::string text;

  void encode(Writer& out) const {
    out.number(token).number(static_cast<std::uint32_t>(what)).number(at).number(value).text(text);
  }
  static Happened decode(Reader& in) {
    Happened one;
    one.token = in.number<std::uint64_t>();
    one.what = static_cast<What>(in.number<std::uint32_t>());
    one.at = in.number<std::int64_t>();
    one.value = in.number<std::int32_t>();
    one.text = in.text();
    return one;
  }
};

}  // namespace particle::fleet::spawn
