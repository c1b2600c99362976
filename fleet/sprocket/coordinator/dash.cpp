// SPDX-License-Identifier: Apache-2.0
#include "coordinator/dash.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>
#include <utility>

#include "input/video.hpp"
#include "worker/program.hpp"

namespace particle::sprocket {
namespace {

namespace fs = std::filesystem;

/// Seconds; longer than any chunk, for one segment of each. ffmpeg takes no more than 2,147.
constexpr const char* kWholeChunk = "2000";
constexpr std::size_t kBoxHeader = 8;

std::uint64_t read_number(const std::string& bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value = value << 8U | static_cast<unsigned char>(bytes[at + i]);
  }
  return value;
}

void write_number(std::string& bytes, std::size_t at, std::size_t size, std::uint64_t value) {
  for (std::size_t i = size; i > 0; --i, value >>= 8U) {
    bytes[at + i - 1] = static_cast<char>(value & 0xffU);
  }
}

/// Adds to a number of 4 bytes in version 0 of a box, of 8 bytes in version 1. `before`: bytes between the box's flags
/// and it.
bool add_to_box(std::string& bytes, std::size_t box, std::size_t end, std::size_t before,
                std::uint64_t ticks) {
  const std::size_t at = box + kBoxHeader + 4 + before;
  const std::size_t size = box + kBoxHeader < end && bytes[box + kBoxHeader] != 0 ? 8 : 4;
  if (at + size > end) return false;
  write_number(bytes, at, size, read_number(bytes, at, size) + ticks);
  return true;
}

/// Boxes from `begin` to `end`, those in moof and traf with them. True when a tfdt was moved.
bool shift_boxes(std::string& bytes, std::size_t begin, std::size_t end, std::uint64_t ticks) {
  bool moved = false;
  while (begin + kBoxHeader <= end) {
    const std::uint64_t size = read_number(bytes, begin, 4);
    if (size < kBoxHeader || size > end - begin) return moved;
    const std::string type = bytes.substr(begin + 4, 4);
    const std::size_t after = begin + size;
    if (type == "moof" || type == "traf") {
      moved = shift_boxes(bytes, begin + kBoxHeader, after, ticks) || moved;
    } else if (type == "tfdt") {
      moved = add_to_box(bytes, begin, after, 0, ticks) || moved;
    } else if (type == "sidx") {
      constexpr std::size_t kIdAndTimescale = 8;
      add_to_box(bytes, begin, after, kIdAndTimescale, ticks);
    }
    begin = after;
  }
  return moved;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (file && text) return text.str();
  return fail(Error::from_errno(errno != 0 ? errno : EIO, "read " + path));
}

Result<void> write_file(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  file.close();
  if (file) return {};
  return fail(Error::from_errno(errno != 0 ? errno : ENOSPC, "write " + path));
}

/// The value of the first NAME="..." of a manifest.
std::string attribute(const std::string& manifest, const std::string& name) {
  const std::string begin = name + "=\"";
  const auto at = manifest.find(begin);
  if (at == std::string::npos) return {};
  const auto from = at + begin.size();
  return manifest.substr(from, manifest.find('"', from) - from);
}

std::uint64_t number_of(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  if (const auto at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
}

std::string now_as_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace

bool shift_segment(std::string& segment, std::uint64_t ticks) {
  return shift_boxes(segment, 0, segment.size(), ticks);
}

DashOutput::DashOutput(std::string output, std::string scratch)
    : output_(std::move(output)),
      scratch_(std::move(scratch)),
      stem_(fs::path(output_).stem().string()),
      thread_([this] { serve(); }) {}

DashOutput::~DashOutput() {
  {
    const std::lock_guard guard(lock_);
    give_up_ = true;
  }
  stop();
  if (whole_) return;
  std::error_code ignored;
  for (const std::string& path : made_) fs::remove(path, ignored);
}

void DashOutput::stop() {
  {
    const std::lock_guard guard(lock_);
    no_more_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void DashOutput::add(Part part) {
  {
    const std::lock_guard guard(lock_);
    waiting_.push_back(std::move(part));
  }
  changed_.notify_all();
}

void DashOutput::serve() {
  std::unique_lock guard(lock_);
  for (;;) {
    changed_.wait(guard, [this] { return no_more_ || !waiting_.empty(); });
    if (waiting_.empty() || give_up_) return;
    const Part part = std::move(waiting_.front());
    waiting_.pop_front();
    guard.unlock();
    auto done = make_segment(part);
    if (done) done = write_manifest(false);
    guard.lock();
    if (!done) {
      verdict_ = std::move(done);
      return;
    }
  }
}

Result<void> DashOutput::place(const std::string& from, const std::string& name) {
  const std::string to = (fs::path(output_).parent_path() / name).string();
  made_.push_back(to);
  std::error_code error;
  fs::rename(from, to, error);
  if (!error) return {};
  return fail(Error::from_errno(error.value(), "rename " + from + " to " + to));
}

Result<void> DashOutput::make_segment(const Part& part) {
  const std::string directory = scratch_ + "/dash";
  std::error_code error;
  fs::remove_all(directory, error);
  if (!fs::create_directory(directory, error)) {
    return fail(Error::from_errno(error.value(), "mkdir " + directory));
  }
  auto done = run_program({{"ffmpeg",
                            "-nostdin",
                            "-hide_banner",
                            "-v",
                            "error",
                            "-xerror",
                            "-y",
                            "-i",
                            "file:" + part.path,
                            "-map",
                            "0:v",
                            "-c",
                            "copy",
                            "-f",
                            "dash",
                            "-seg_duration",
                            kWholeChunk,
                            "-init_seg_name",
                            "init.m4s",
                            "-media_seg_name",
                            "segment.m4s",
                            "file:" + directory + "/one.mpd"},
                           {}});
  if (!done) return done;
  const auto manifest = read_file(directory + "/one.mpd");
  if (!manifest) return fail(manifest.error());
  auto segment = read_file(directory + "/segment.m4s");
  if (!segment) return fail(segment.error());
  const std::uint64_t begin = std::accumulate(lengths_.begin(), lengths_.end(), std::uint64_t{0});
  if (!shift_segment(*segment, begin)) {
    return fail(Error::of(Errc::protocol, "output " + output_ + ": a segment without a time"));
  }
  if (auto ok = write_file(directory + "/segment.m4s", *segment); !ok) return ok;
  if (lengths_.empty()) {
    manifest_ = *manifest;
    since_ = now_as_text();
    timescale_ = number_of(attribute(manifest_, "timescale"));
    if (auto ok = place(directory + "/init.m4s", stem_ + "-init.m4s"); !ok) return ok;
  } else if (number_of(attribute(*manifest, "timescale")) != timescale_) {
    return fail(
        Error::of(Errc::protocol, "output " + output_ + ": chunks of different time scales"));
  }
  lengths_.push_back(number_of(attribute(*manifest, " d")));
  frames_ += part.frames;
  const std::string number = std::to_string(lengths_.size());
  constexpr std::size_t kDigits = 5;
  const std::string zeros(kDigits - std::min(kDigits, number.size()), '0');
  return place(directory + "/segment.m4s", stem_ + "-" + zeros + number + ".m4s");
}

/// As ffmpeg wrote it for the first chunk, with all segments so far. While more are to come it is "dynamic": players
/// read it anew.
Result<void> DashOutput::write_manifest(bool last) {
  std::string text = manifest_;
  std::string timeline;
  std::uint64_t at = 0;
  for (const std::uint64_t length : lengths_) {
    timeline += "<S t=\"" + std::to_string(at) + "\" d=\"" + std::to_string(length) + "\" />";
    at += length;
  }
  const auto from = text.find("<S ");
  text.replace(from, text.find("/>", from) + 2 - from, timeline);
  replace(text, "media=\"segment.m4s\"", "media=\"" + stem_ + "-$Number%05d$.m4s\"");
  replace(text, "initialization=\"init.m4s\"", "initialization=\"" + stem_ + "-init.m4s\"");
  const std::string duration = "mediaPresentationDuration=\"";
  const std::string first = duration + attribute(text, "mediaPresentationDuration") + "\"";
  if (last) {
    const double seconds = static_cast<double>(at) / static_cast<double>(timescale_);
    replace(text, first, duration + "PT" + std::to_string(seconds) + "S\"");
  } else {
    replace(text, "type=\"static\"", "type=\"dynamic\"");
    replace(text, first, R"(minimumUpdatePeriod="PT1S" availabilityStartTime=")" + since_ + "\"");
  }
  if (auto ok = write_file(scratch_ + "/next.mpd", text); !ok) return ok;
  return place(scratch_ + "/next.mpd", fs::path(output_).filename().string());
}

Result<void> DashOutput::finish() {
  stop();
  if (!verdict_) return verdict_;
  if (auto ok = write_manifest(true); !ok) return ok;
  const auto counted = count_frames(output_);
  if (!counted) return fail(counted.error());
  if (*counted != frames_) {
    return fail(Error::of(Errc::protocol,
                          "output " + output_ + ": " + std::to_string(*counted) + " frames of " +
                              std::to_string(frames_) + " are in the segments",
                          "the codec and this container do not go together"));
  }
  whole_ = true;
  return {};
}

}  // namespace particle::sprocket
