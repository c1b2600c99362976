// SPDX-License-Identifier: Apache-2.0
#include "etcd/settings.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

namespace particle::overlay {
namespace {

constexpr std::array kEtcdSettings{
    Setting{.name = "etcd-endpoints",
            .type = "URLS",
            .help = "The etcd servers, as https://ADDRESS:2379, with commas between them; the "
                    "others are tried when one fails",
            .required = true},
    Setting{.name = "etcd-cluster",
            .type = "NAME",
            .help =
                "All keys are below /particle/NAME/: clusters of different names share a server "
                "without seeing each other (default: default)"},
    Setting{.name = "etcd-ca",
            .type = "FILE",
            .help = "The certificate authority of the servers (default: the system's)"},
    Setting{.name = "etcd-cert", .type = "FILE", .help = "This client's certificate"},
    Setting{.name = "etcd-key", .type = "FILE", .help = "This client's private key"},
    Setting{.name = "etcd-user", .type = "NAME", .help = "The user to authenticate as"},
    Setting{.name = "etcd-password-file",
            .type = "FILE",
            .help = "A file whose first line is the user's password"},
    // The last one is the agent's alone: see etcd_connection_settings().
    Setting{.name = "etcd-lease",
            .type = "SECONDS",
            .help = "A node that has not been heard of for so long is withdrawn (default: 30)"}};

/// Collects what is wrong.
class Reader {
 public:
  explicit Reader(const std::map<std::string, std::string>& settings) : settings_(settings) {}

  [[nodiscard]] std::string text(const std::string& name, const std::string& otherwise = {}) const {
    const auto found = settings_.find(name);
    return found == settings_.end() ? otherwise : found->second;
  }
  std::string file(const std::string& name) {
    const auto found = settings_.find(name);
    if (found == settings_.end()) return {};
    const UniqueFd fd(::open(found->second.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd.valid()) complain(name, Error::from_errno(errno, "open " + found->second).message());
    return found->second;
  }
  void complain(const std::string& name, const std::string& problem) {
    problems_.push_back("--" + name + ": " + problem);
  }
  [[nodiscard]] Result<void> verdict() const {
    if (problems_.empty()) return {};
    Error error = Error::of(Errc::invalid_argument, problems_.front());
    error.details = problems_;
    return fail(std::move(error));
  }

 private:
  const std::map<std::string, std::string>& settings_;
  std::vector<std::string> problems_;
};

/// Nothing when it is no server's URL.
std::optional<std::string> parse_endpoint(std::string_view text) {
  while (text.ends_with('/')) text.remove_suffix(1);
  std::string url(text);
  if (url.find("://") == std::string::npos) url = "http://" + url;
  const auto scheme = url.find("://");
  const std::string_view host = std::string_view(url).substr(scheme + 3);
  const bool known = url.starts_with("http://") || url.starts_with("https://");
  if (!known || host.empty() || host.find_first_of("/?#@ \t\"'") != std::string_view::npos)
    return std::nullopt;
  return url;
}

void read_endpoints(Reader& reader, EtcdSettings& out) {
  const std::string all = reader.text("etcd-endpoints");
  if (all.empty()) {
    reader.complain("etcd-endpoints", "is missing");
    return;
  }
  for (std::size_t begin = 0; begin <= all.size();) {
    const auto end = std::min(all.find(',', begin), all.size());
    const std::string one = all.substr(begin, end - begin);
    if (auto url = parse_endpoint(one)) {
      out.endpoints.push_back(*std::move(url));
    } else {
      reader.complain("etcd-endpoints",
                      "\"" + one + "\" is not http://ADDRESS:PORT or https://ADDRESS:PORT");
    }
    begin = end + 1;
  }
}

void read_lease(Reader& reader, EtcdSettings& out) {
  const std::string text = reader.text("etcd-lease", "30");
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  out.lease = std::chrono::seconds(seconds);
  if (error != std::errc{} || end != text.data() + text.size() || out.lease < kShortestLease ||
      out.lease > kLongestLease) {
    reader.complain("etcd-lease", "\"" + text + "\" is no number of seconds from " +
                                      std::to_string(kShortestLease.count()) + " to " +
                                      std::to_string(kLongestLease.count()));
  }
}

}  // namespace

std::span<const Setting> etcd_settings() noexcept {
  return kEtcdSettings;
}
std::span<const Setting> etcd_connection_settings() noexcept {
  return std::span<const Setting>(kEtcdSettings).first(kEtcdSettings.size() - 1);
}

Result<EtcdSettings> parse_etcd_settings(const std::map<std::string, std::string>& settings) {
  Reader reader(settings);
  EtcdSettings out;
  read_endpoints(reader, out);
  out.cluster = reader.text("etcd-cluster", out.cluster);
  if (auto ok = check_name("etcd-cluster", out.cluster); !ok)
    reader.complain("etcd-cluster", ok.error().message());
  out.tls = {reader.file("etcd-ca"), reader.file("etcd-cert"), reader.file("etcd-key")};
  if (out.tls.certificate.empty() != out.tls.key.empty())
    reader.complain(out.tls.key.empty() ? "etcd-key" : "etcd-cert",
                    "is missing: a certificate and its key go together");
  out.user = reader.text("etcd-user");
  out.password_file = reader.file("etcd-password-file");
  if (out.user.empty() != out.password_file.empty())
    reader.complain(out.user.empty() ? "etcd-user" : "etcd-password-file",
                    "is missing: a user and a password go together");
  read_lease(reader, out);
  if (auto ok = reader.verdict(); !ok) return fail(std::move(ok.error()));
  return out;
}

Result<std::string> read_password(const EtcdSettings& settings) {
  const std::string name = "password file " + settings.password_file;
  const UniqueFd file(::open(settings.password_file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file.valid()) return fail(Error::from_errno(errno, "open " + name));
  std::array<char, 4096> buffer{};
  const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
  if (got < 0) return fail(Error::from_errno(errno, "read " + name));
  const std::string text(buffer.data(), static_cast<std::size_t>(got));
  return text.substr(0, text.find_first_of("\r\n"));
}

}  // namespace particle::overlay
