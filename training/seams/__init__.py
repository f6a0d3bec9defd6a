"""The network that says where digits touch: strings composed of MNIST's training part, the network, its file."""
