// SPDX-License-Identifier: MIT
#ifndef DIGITS_BACKEND_HPP
#define DIGITS_BACKEND_HPP

#include "digits_data.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace digits {

/// Writes the prediction of images[i] to predictions[i]. For one thread.
using Predict =
    std::function<void(std::span<const Image> images, std::span<Prediction> predictions)>;

/// Something that computes the network.
struct Backend {
  std::string description;
  /// How far two logits of one image may be apart between batches; 0 asks for equal bits.
  float tolerance = 0.0F;
  /// Makes the function of one thread. All of them share the weights.
  std::function<Predict()> make_predict;
};

/// The packed kernel of this example: needs a compiler, nothing else.
Backend make_packed_backend(const Network& network);

/// oneDNN. Throws std::runtime_error if this program was built without it.
Backend make_onednn_backend(const Network& network, std::size_t max_batch);

}  // namespace digits

#endif  // DIGITS_BACKEND_HPP
